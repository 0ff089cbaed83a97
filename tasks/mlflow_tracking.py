"""A run as MLflow shows it, for those who have it: trials as nested runs, plots, and the model with its signature.

All of it is said by the thread that talks to servers, at the end of a run; a server that cannot be reached costs a
warning.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_models.report.run import Run, StageResult
from tasks.sending import send
from tasks.workers.process import quiet_import

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger(__name__)
EXPERIMENT = "mnist-models"
ALIAS = "champion"
TIMEOUT = 300.0  # seconds until a run ends without waiting for the rest
PATIENCE = {  # an unreachable server is to cost seconds, not the minutes that MLflow would try
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
FILES = ("report.html", "metrics.json", "lineage.json", "promotion.json", "README.md")
REQUIREMENTS = ("keras", "tensorflow", "numpy")


def track(run: Run, folder: Path) -> None:
    """Has a finished run sent to the MLflow server that the settings name, if they name one.

    Args:
        run: With what became of its model.
        folder: Of the run, with its files.
    """
    if run.settings.mlflow is not None:
        uri = run.settings.mlflow
        send(lambda client: _try_to_send(run, folder, uri))


def _try_to_send(run: Run, folder: Path, uri: str) -> None:
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient

        _send(MlflowClient(tracking_uri=uri, registry_uri=uri), run, folder, uri)
    except Exception as error:  # whatever it is, the run is worth more than what people see of it
        reason = str(error).splitlines()[0][:200] if str(error) else ""
        LOG.warning("mlflow  the run could not be sent: %s: %s", type(error).__name__, reason)


def _send(client: MlflowClient, run: Run, folder: Path, uri: str) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    number = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    parent = client.create_run(number, run_name=run.name, tags=_tags(run)).info.run_id
    _log(client, parent, _figures(run), run.settings.model_dump(mode="json", exclude={"mlflow"}))
    for stage in run.stages:
        _send_stage(client, number, parent, stage)
    for path in [*sorted((folder / "plots").glob("*.png")), *(folder / name for name in FILES)]:
        if path.is_file():
            client.log_artifact(parent, str(path), "plots" if path.suffix == ".png" else None)
    _register(client, run, folder, parent, uri)
    client.set_terminated(parent)
    LOG.info("mlflow  %s is in the experiment %s", run.name, EXPERIMENT)


def _send_stage(client: MlflowClient, experiment: str, parent: str, stage: StageResult) -> None:
    """A stage as a nested run, and its trials as runs nested in that."""
    nested = _child(client, experiment, parent, stage.name)
    names = ("val_loss", "val_accuracy", "loss", "accuracy")
    for name in names:
        for epoch, value in enumerate(stage.model.history.get(name, ()), start=1):
            client.log_metric(nested, name, value, step=epoch)
    _log(client, nested, {"training_seconds": stage.seconds}, stage.hyperparameters)
    for trial in stage.trials:
        child = _child(client, experiment, nested, f"{stage.name} trial {trial.number}")
        figures = {"val_loss": trial.val_loss, "val_accuracy": trial.val_accuracy, "seconds": trial.seconds}
        _log(client, child, figures, {**trial.values, "epochs": trial.epochs})
        client.set_terminated(child, "FAILED" if trial.failure else "FINISHED")
    client.set_terminated(nested)


def _child(client: MlflowClient, experiment: str, parent: str, name: str) -> str:
    run = client.create_run(experiment, run_name=name, tags={"mlflow.parentRunId": parent})
    return str(run.info.run_id)


def _log(client: MlflowClient, run: str, figures: Mapping[str, float | None], settings: Mapping[str, Any]) -> None:
    """Figures and settings in one request."""
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    metrics = [Metric(name, value, now, 0) for name, value in figures.items() if value is not None]
    client.log_batch(run, metrics, [Param(name, str(value)) for name, value in settings.items()])


def _register(client: MlflowClient, run: Run, folder: Path, parent: str, uri: str) -> None:
    """The model with its signature, as a new version; the champion's carries the alias."""
    with quiet_import():
        import keras
        import mlflow
        import numpy as np
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

    shape, kind = (-1, *run.dataset.image_shape), np.dtype(np.float32)
    signature = ModelSignature(Schema([TensorSpec(kind, shape)]), Schema([TensorSpec(kind, (-1, run.dataset.classes))]))
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    model = keras.models.load_model(folder / "model.keras", compile=False)
    requirements = [f"{package}=={version(package)}" for package in REQUIREMENTS]
    with mlflow.start_run(run_id=parent):
        logged = mlflow.keras.log_model(model, name="model", signature=signature, pip_requirements=requirements)
    name = EXPERIMENT if run.settings.champion == "default" else f"{EXPERIMENT}-{run.settings.champion}"
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    registered = client.create_model_version(name, logged.model_uri, run_id=parent, model_id=logged.model_id)
    if run.promotion and run.promotion.outcome != "refused":
        client.set_registered_model_alias(name, ALIAS, str(registered.version))


def _tags(run: Run) -> dict[str, str]:
    promotion = {"promotion": run.promotion.outcome} if run.promotion else {}
    return {"stage": run.final.stage, "dataset_fingerprint": run.dataset.fingerprint, **promotion}


def _figures(run: Run) -> dict[str, float]:
    ensemble = run.final.ensemble
    low, high = ensemble.wilson_95
    return {
        "test_accuracy": ensemble.test_accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_loss": ensemble.test_loss,
        "seconds": run.seconds,
    }
