"""The tasks that judge the final model."""

from __future__ import annotations

from pathlib import Path

from prefect import task

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.evaluation import FinalResult, evaluate_final, export_ensemble
from mnist_models.fingerprint import code_fingerprint
from mnist_models.records import FileReference, digest
from mnist_models.store import Store
from mnist_models.training import TrainingResult
from tasks.caching import DURABLE, in_store
from tasks.workers import worker_pool


@task(name="evaluate", task_run_name="evaluate {stage} on the test set", retries=2, **DURABLE)
def evaluate_task(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, root: Path, workers: int, key: str
) -> FinalResult:
    """Reads the test set; see `mnist_models.evaluation.evaluate_final`."""
    return worker_pool(workers).run(evaluate_final, stage, members, dataset, root, key=key)


def evaluate_members(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, settings: Settings
) -> FinalResult:
    """Judges the members and their ensemble on the test set."""
    store = Store(settings.store)
    code = code_fingerprint("evaluation", members[0].spec.network)
    key = f"final-{digest([stage, [member.key for member in members], dataset.fingerprint, code])}"
    run = in_store(evaluate_task, store, key, settings.refresh)
    result: FinalResult = run(stage, members, dataset, store.root, settings.workers, key)
    return result
