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

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference, read_split
from mnist_models.evaluation import ExportedModel, FinalResult
from mnist_models.fingerprint import code_fingerprint
from mnist_models.metrics import percent
from mnist_models.networks import NETWORKS
from mnist_models.records import Record
from mnist_models.report import write_report
from mnist_models.store import Store
from mnist_models.study import StageResult
from mnist_models.training import TrainingResult
from tasks.artifacts import show_report
from tasks.caching import TASK_RUNS
from tasks.evaluation import export_members

LOG = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "keras-tuner", "prefect", "numpy")


class RunSummary(Record):
    """A whole run.

    Attributes:
        name: Of the run.
        stages: All stages, in order.
        final: The judgement.
        report: Path of the report.
        seconds: Wall time of the run.
    """

    name: str
    stages: tuple[StageResult, ...]
    final: FinalResult
    report: Path
    seconds: float


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
def report_task(
    run_name: str,
    settings: Settings,
    dataset: DatasetReference,
    stages: list[StageResult],
    final: FinalResult,
    members: list[TrainingResult],
    model: ExportedModel,
    seconds: float,
) -> Path:
    """Writes the run's folder and points `latest` at it; never cached, since every run has its own."""
    store = Store(settings.store)
    folder = store.runs / run_folder(run_name)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.verify(model.file), folder / "model.keras")
    wrong = [mistake.index for mistake in final.mistakes]
    report = write_report(
        folder,
        run_name=run_name,
        settings=settings,
        dataset=dataset,
        stages=stages,
        final=final,
        final_models=members,
        mistake_images=np.asarray(read_split(store, dataset, "test").x[wrong]),
        environment=environment(),
        seconds=seconds,
        code_fingerprint=code_fingerprint("oracle", "evaluation", *NETWORKS),
        kept_pictures=store.root / "pictures.npz",
    )
    _point_latest(store, folder)
    show_report(folder, stages, final)
    return report


def write_run(
    run_name: str,
    settings: Settings,
    dataset: DatasetReference,
    stages: list[StageResult],
    final: FinalResult,
    members: list[TrainingResult],
    seconds: float,
) -> RunSummary:
    """Reports a run."""
    model = export_members(members, dataset, settings)
    future = report_task.submit(run_name, settings, dataset, stages, final, members, model, seconds)
    TASK_RUNS.append(future.task_run_id)
    summary = RunSummary(name=run_name, stages=tuple(stages), final=final, report=future.result(), seconds=seconds)
    LOG.info(
        "test accuracy %s of %s, average of %d seeds · report in %s",
        percent(final.ensemble.test_accuracy), final.stage, len(final.members), summary.report.parent,
    )  # fmt: skip
    return summary


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
