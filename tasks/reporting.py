"""The task that writes what a person reads."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from mnist_models.data.dataset import FileNames, read_split
from mnist_models.data_page.labels import LabelCheck, all_suspects, check_of_test, check_of_training, labels_csv
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.files import write_atomic
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.store import Store
from mnist_models.judging.export import ExportedModel
from mnist_models.judging.out_of_fold import LabelReport
from mnist_models.judging.predictions import Predictions
from mnist_models.lineage.card import model_card
from mnist_models.lineage.record import Lineage
from mnist_models.networks.by_name import NETWORKS
from mnist_models.report.page import write_report
from mnist_models.report.run import Run
from mnist_models.report.words import percent
from tasks.artifacts import show_report
from tasks.caching import TASK_RUNS
from tasks.evaluation import predict_members
from tasks.inspection import sections_of

LOG = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "keras-tuner", "prefect", "numpy")


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
def report_task(
    run: Run, model: ExportedModel, checks: tuple[LabelCheck, ...], predictions: Predictions | None
) -> Path:
    """Writes the run's folder and points `latest` at it; never cached, since every run has its own."""
    store = Store(run.settings.store)
    folder = store.runs / run_folder(run.name)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.verify(model.file), folder / "model.keras")
    _copy_forms(store, run.exports, folder)
    if predictions:
        shutil.copyfile(store.verify(predictions.file), folder / "predictions.csv")
    lineage = lineage_of(run, model)
    write_atomic(folder / "lineage.json", (lineage.model_dump_json(indent=2) + "\n").encode())
    if run.promotion:
        write_atomic(folder / "promotion.json", (run.promotion.model_dump_json(indent=2) + "\n").encode())
    write_atomic(folder / "README.md", model_card(run, lineage).encode())
    wrong = [mistake.index for mistake in run.final.mistakes]
    report = write_report(
        folder,
        run,
        mistake_images=np.asarray(read_split(store, run.dataset, "test").x[wrong]),
        environment=lineage.environment,
        code_fingerprint=lineage.code_fingerprint,
        kept_pictures=store.root / "pictures.npz",
        data_sections=sections_of(run.dataset, run.settings, checks),
    )
    write_atomic(
        folder / "labels.csv", labels_csv(all_suspects(checks), run.dataset.names, FileNames(store, run.dataset))
    )
    _point_latest(store, folder)
    store.share(folder.relative_to(store.root))
    show_report(folder, run.stages, run.final)
    return report


def write_run(run: Run, model: ExportedModel, labels: LabelReport | None = None) -> Path:
    """Reports a run and its model, and returns the path of its report.

    Args:
        run: What to report.
        model: Its final model.
        labels: What is thought of the training labels, where they were looked at.
    """
    checks = (*([check_of_training(labels)] if labels else []), check_of_test(run.final))
    unlabelled = run.dataset.unlabelled > 0
    predictions = predict_members(list(run.members), run.dataset, run.settings) if unlabelled else None
    future = report_task.submit(run, model, checks, predictions)
    TASK_RUNS.append(future.task_run_id)
    report = future.result()
    LOG.info(
        "test accuracy %s of %s, average of %d seeds · report in %s",
        percent(run.final.ensemble.test_accuracy), run.final.stage, len(run.final.members), report.parent,
    )  # fmt: skip
    return report


def lineage_of(run: Run, model: ExportedModel) -> Lineage:
    """Returns where a run's model comes from."""
    code = code_fingerprint(
        "search.conversation", "training.loop", "judging.evaluation", *(f"networks.{name}" for name in NETWORKS)
    )
    return Lineage.of(run, model, environment(), code)


def run_folder(run_name: str) -> str:
    """Turns a run's name into a folder's."""
    return re.sub(r"[^\w.-]+", "-", run_name)


def environment() -> dict[str, str]:
    """Versions and machine that the figures come from."""
    machine = {"python": platform.python_version(), "platform": platform.platform(), "cores": str(os.cpu_count())}
    return {package: version(package) for package in PACKAGES} | machine


def _copy_forms(store: Store, forms: Sequence[ExportedForm], folder: Path) -> None:
    """Copies the other forms of the model to the run's folder, under the names that they have in the store."""
    for form in forms:
        base = (store.root / form.path).parent
        for file in form.files:
            target = folder / store.verify(file).relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.root / file.path, target)


def _point_latest(store: Store, folder: Path) -> None:
    temporary = store.root / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(store.root))
    temporary.replace(store.root / "latest")
