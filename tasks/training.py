"""The task that trains one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, Task, task
from prefect.client.schemas.objects import TaskRun

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.store import Store
from mnist_models.training import TrainingResult, TrainingSpec, fit
from tasks.caching import DURABLE, in_store
from tasks.workers import WorkerDiedError, worker_pool


def can_retry(task: Task[..., Any], run: TaskRun, state: State) -> bool:
    """A dead worker is worth another try, which goes on from its last epoch; a mistake in the specification is not."""
    try:
        state.result(raise_on_failure=True)
    except (WorkerDiedError, OSError):
        return True
    except Exception:
        return False
    return False


@task(
    name="train",
    task_run_name="{name}",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_retry,
    **DURABLE,
)
def train_task(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    root: Path,
    workers: int,
    key: str,
    checkpoint: str,
    keep_weights: bool,
) -> TrainingResult:
    """Trains one network in a worker process; see `mnist_models.training.fit`."""
    return worker_pool(workers).run(
        fit, spec, dataset, root, key=key, checkpoint=checkpoint, keep_weights=keep_weights
    )


def submit_training(
    name: str, spec: TrainingSpec, dataset: DatasetReference, settings: Settings, folder: str, *, keep_weights: bool
) -> Any:
    """Starts a training, or finds it done, and returns its Prefect future.

    Args:
        name: Of the task run.
        spec: What to train.
        dataset: On what.
        settings: Where, and with how many workers.
        folder: Of its checkpoint, below the store's `checkpoints`.
        keep_weights: Whether the result points to weights.
    """
    store = Store(settings.store)
    key = spec.key(dataset, "model" if keep_weights else "trial")
    checkpoint = f"checkpoints/{folder}/{spec.lineage()}.npz"
    run = in_store(train_task, store, key, settings.refresh)
    return run.submit(name, spec, dataset, store.root, settings.workers, key, checkpoint, keep_weights)
