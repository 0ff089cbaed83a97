"""The task that writes what a person reads."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from mnist_models.data.dataset import read_split
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.store import Store
from mnist_models.judging.export import ExportedModel
from mnist_models.judging.predictions import Predictions
from mnist_models.networks.by_name import NETWORKS
from mnist_models.report.page import write_report
from mnist_models.report.run import Run
from mnist_models.report.words import percent
from tasks.artifacts import show_report
from tasks.caching import TASK_RUNS
from tasks.evaluation import export_members, predict_members

LOG = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "keras-tuner", "prefect", "numpy")


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
def report_task(run: Run, model: ExportedModel, predictions: Predictions | None) -> Path:
    """Writes the run's folder and points `latest` at it; never cached, since every run has its own."""
    store = Store(run.settings.store)
    folder = store.runs / run_folder(run.name)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.verify(model.file), folder / "model.keras")
    if predictions:
        shutil.copyfile(store.verify(predictions.file), folder / "predictions.csv")
    wrong = [mistake.index for mistake in run.final.mistakes]
    report = write_report(
        folder,
        run,
        mistake_images=np.asarray(read_split(store, run.dataset, "test").x[wrong]),
        environment=environment(),
        code_fingerprint=code_fingerprint(
            "search.conversation", "training.loop", "judging.evaluation", *(f"networks.{name}" for name in NETWORKS)
        ),
        kept_pictures=store.root / "pictures.npz",
    )
    _point_latest(store, folder)
    show_report(folder, run.stages, run.final)
    return report


def write_run(run: Run) -> Path:
    """Reports a run and returns the path of its report."""
    model = export_members(list(run.members), run.dataset, run.settings)
    unlabelled = run.dataset.unlabelled > 0
    predictions = predict_members(list(run.members), run.dataset, run.settings) if unlabelled else None
    future = report_task.submit(run, model, predictions)
    TASK_RUNS.append(future.task_run_id)
    report = future.result()
    LOG.info(
        "test accuracy %s of %s, average of %d seeds · report in %s",
        percent(run.final.ensemble.test_accuracy), run.final.stage, len(run.final.members), report.parent,
    )  # fmt: skip
    return report


def run_folder(run_name: str) -> str:
    """Turns a run's name into a folder's."""
    return re.sub(r"[^\w.-]+", "-", run_name)


def environment() -> dict[str, str]:
    """Versions and machine that the figures come from."""
    machine = {"python": platform.python_version(), "platform": platform.platform(), "cores": str(os.cpu_count())}
    return {package: version(package) for package in PACKAGES} | machine


def _point_latest(store: Store, folder: Path) -> None:
    temporary = store.root / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(store.root))
    temporary.replace(store.root / "latest")
