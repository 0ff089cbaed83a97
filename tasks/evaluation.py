"""The tasks that judge the final model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.evaluation import FinalResult, evaluate_final
from mnist_models.judging.export import ExportedModel, export_ensemble
from mnist_models.judging.predictions import Predictions, predict_unlabelled
from mnist_models.training.result import TrainingResult
from tasks.caching import DURABLE, compute, computing
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.workers.interface import Turn, Workplace
from tasks.workers.started import start_workers, workplace_of


@task(name="evaluate", task_run_name="evaluate {stage} on the test set", **RETRIED, **DURABLE)
@stoppable
def evaluate_task(
    stage: str,
    members: list[TrainingResult],
    dataset: DatasetReference,
    root: Address,
    place: Workplace,
    reserve: float,
    key: str,
) -> FinalResult:
    """Reads the test set; see `mnist_models.judging.evaluation.evaluate_final`."""
    return start_workers(place).run(Turn(), evaluate_final, stage, members, dataset, root, reserve=reserve, key=key)


@task(name="export", task_run_name="export model.keras", **RETRIED, **DURABLE)
@stoppable
def export_task(
    members: list[TrainingResult], dataset: DatasetReference, root: Address, place: Workplace, key: str
) -> ExportedModel:
    """Writes the final model as one file; see `mnist_models.judging.evaluation.export_ensemble`."""
    return start_workers(place).run(Turn(), export_ensemble, members, dataset, root, key=key)


@task(name="predict", task_run_name="predict images without labels", **RETRIED, **DURABLE)
@stoppable
def predict_task(
    members: list[TrainingResult], dataset: DatasetReference, root: Address, place: Workplace, key: str
) -> Predictions:
    """Predicts what is not labelled; see `mnist_models.judging.predictions.predict_unlabelled`."""
    return start_workers(place).run(Turn(), predict_unlabelled, members, dataset, root, key=key)


def judging_members(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, settings: Settings
) -> AbstractContextManager[Callable[[], FinalResult]]:
    """Judges the members and their ensemble on the test set, on one worker, while its caller occupies the others."""
    code = code_fingerprint("judging.evaluation", f"networks.{members[0].spec.network}")
    keys = [member.key for member in members]
    key = f"final-{digest([stage, keys, dataset.fingerprint, settings.reserve, code])}"
    root = Store(settings.store).address
    return computing(
        evaluate_task, settings, stage, members, dataset, root, workplace_of(settings), settings.reserve, key=key
    )


def export_members(members: list[TrainingResult], dataset: DatasetReference, settings: Settings) -> ExportedModel:
    """Returns the file of the members' ensemble."""
    code = code_fingerprint("judging.export", f"networks.{members[0].spec.network}")
    key = f"export-{digest([[member.key for member in members], dataset.fingerprint, code])}"
    root = Store(settings.store).address
    exported: ExportedModel
    exported, _ = compute(export_task, settings, members, dataset, root, workplace_of(settings), key=key)
    return exported


def predict_members(members: list[TrainingResult], dataset: DatasetReference, settings: Settings) -> Predictions:
    """Returns the file with what the members' ensemble says of images without labels."""
    code = code_fingerprint("judging.predictions", f"networks.{members[0].spec.network}")
    key = f"predictions-{digest([[member.key for member in members], dataset.fingerprint, code])}"
    root = Store(settings.store).address
    predictions: Predictions
    predictions, _ = compute(predict_task, settings, members, dataset, root, workplace_of(settings), key=key)
    return predictions
