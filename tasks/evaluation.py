"""The tasks that judge the final model."""

from __future__ import annotations

from pathlib import Path

from prefect import task

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.evaluation import ExportedModel, FinalResult, evaluate_final, export_ensemble
from mnist_models.fingerprint import code_fingerprint
from mnist_models.records import digest
from mnist_models.store import Store
from mnist_models.training import TrainingResult
from tasks.caching import DURABLE, compute
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.workers import worker_pool


@task(name="evaluate", task_run_name="evaluate {stage} on the test set", **RETRIED, **DURABLE)
@stoppable
def evaluate_task(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, root: Path, workers: int, key: str
) -> FinalResult:
    """Reads the test set; see `mnist_models.evaluation.evaluate_final`."""
    return worker_pool(workers).run(0, evaluate_final, stage, members, dataset, root, key=key)


@task(name="export", task_run_name="export model.keras", **RETRIED, **DURABLE)
@stoppable
def export_task(
    members: list[TrainingResult], dataset: DatasetReference, root: Path, workers: int, key: str
) -> ExportedModel:
    """Writes the final model as one file; see `mnist_models.evaluation.export_ensemble`."""
    return worker_pool(workers).run(0, export_ensemble, members, dataset, root, key=key)


def evaluate_members(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, settings: Settings
) -> FinalResult:
    """Judges the members and their ensemble on the test set."""
    code = code_fingerprint("evaluation", members[0].spec.network)
    key = f"final-{digest([stage, [member.key for member in members], dataset.fingerprint, code])}"
    root = Store(settings.store).root
    result: FinalResult
    result, _ = compute(evaluate_task, settings, stage, members, dataset, root, settings.workers, key=key)
    return result


def export_members(members: list[TrainingResult], dataset: DatasetReference, settings: Settings) -> ExportedModel:
    """Returns the file of the members' ensemble."""
    code = code_fingerprint("evaluation", members[0].spec.network)
    key = f"export-{digest([[member.key for member in members], dataset.fingerprint, code])}"
    root = Store(settings.store).root
    exported: ExportedModel
    exported, _ = compute(export_task, settings, members, dataset, root, settings.workers, key=key)
    return exported
