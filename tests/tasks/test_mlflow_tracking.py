"""A run in MLflow: a real server on SQLite, and none at all."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from running.ports import free_port
from tests.conftest import TINY, Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason='needs pip install -e ".[mlflow]"'),
]
PIPELINE = "flows/full_pipeline.py"


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files"),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "DO_NOT_TRACK": "1"}, start_new_session=True
        )
    try:
        uri = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 400
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=5):
                break
            assert process.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
            time.sleep(0.5)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_run_its_trials_and_its_model_are_in_mlflow(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str, tmp_path: Path
) -> None:
    import keras
    import numpy as np
    from mlflow import MlflowClient

    store = tmp_path / "store"
    shutil.copytree(first[0], store, symlinks=True)
    with mlflow_server(tmp_path) as uri:
        arguments = (*TINY, "--store", str(store), "--mlflow", uri)
        done = run_script(PIPELINE, *arguments, PREFECT_API_URL=server)
        assert done.returncode == 0, done.stderr
        assert "is in the experiment" in done.stderr
        client = MlflowClient(uri, uri)
        runs = client.search_runs([client.get_experiment_by_name("mnist-models").experiment_id], max_results=500)
        parent = next(run for run in runs if run.info.run_name.startswith("quick "))
        children = {run.info.run_name: run for run in runs if "mlflow.parentRunId" in run.data.tags}
        assert {run.info.status for run in runs} == {"FINISHED"}
        tables = [path.read_text().splitlines()[1:] for path in (store / "latest" / "trials").glob("*.csv")]
        stages = json.loads((store / "latest" / "metrics.json").read_text())["stages"]
        assert len(children) == len(stages) + sum(map(len, tables)) > 20
        trial = children["cnn_learning_rate trial 1"]
        assert trial.data.tags["mlflow.parentRunId"] == children["cnn_learning_rate"].info.run_id
        assert trial.data.metrics["val_loss"] > 0
        assert "learning_rate" in trial.data.params
        files = {file.path for folder in (None, "plots") for file in client.list_artifacts(parent.info.run_id, folder)}
        assert {"README.md", "report.html", "plots/comparison.png"} <= files
        version = client.get_model_version_by_alias("mnist-models", "champion")
        assert version.run_id == parent.info.run_id
        folder = Path(client.download_artifacts(parent.info.run_id, "plots", str(tmp_path)))
        assert len(list(folder.glob("*.png"))) > 5
        ours, theirs = keras.models.load_model(store / "latest/model.keras"), load_champion(uri)
        x = np.random.default_rng(1).random((3, 28, 28, 1), np.float32)
        assert np.array_equal(ours.predict(x, verbose=0), theirs(x))


def load_champion(uri: str):  # type: ignore[no-untyped-def]
    """As a user of MLflow does."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model("models:/mnist-models@champion")
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 28, 28, 1)
    return model.predict


def test_a_server_that_is_not_there_costs_a_warning(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(first[0], store, symlinks=True)
    arguments = (*TINY, "--store", str(store), "--mlflow", f"http://127.0.0.1:{free_port()}")
    done = run_script(PIPELINE, *arguments, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "mlflow  the run could not be sent" in done.stderr
    assert (store / "latest" / "report.html").exists()
