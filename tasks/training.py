"""The task that trains one network."""

from __future__ import annotations

from contextvars import ContextVar

from prefect import task
from prefect.futures import PrefectFuture

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks.artifacts import name_task_run
from tasks.caching import DURABLE, exclusively, is_cached, read_record, submit
from tasks.planning import place_of
from tasks.progress import PROGRESS
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.workers.interface import Turn, Workplace
from tasks.workers.started import start_workers, workers_of, workplace_of

STAGE_NUMBER: ContextVar[int] = ContextVar("STAGE_NUMBER", default=0)
"""Position of the running stage in the pipeline: where several run at a time, the first gets the workers first."""


class TrainingFailedError(RuntimeError):
    """A model that the pipeline needs could not be trained."""


@task(
    name="train",
    task_run_name="{name}",
    **RETRIED,
    **DURABLE,
)
@stoppable
def train_task(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    root: Address,
    place: Workplace,
    priority: int,
    checkpoint: str,
    keep_weights: bool,
    keep_judged: bool,
    key: str,
) -> TrainingResult:
    """Trains one network in a worker process; see `mnist_models.training.loop.fit`."""
    stage, training = place_of(name)
    turn = Turn(priority, begun=lambda: PROGRESS.begin(stage, training))
    result = start_workers(place).run(
        turn, fit, spec, dataset, root,
        key=key, checkpoint=checkpoint, keep_weights=keep_weights, keep_judged=keep_judged,
    )  # fmt: skip
    PROGRESS.end(stage, training, result.metric("val_loss"))
    name_task_run(_scored(name, result))
    return result


def submit_trial(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    settings: Settings,
    folder: str,
    *,
    keep_judged: bool = False,
) -> PrefectFuture[TrainingResult]:
    """Starts the training of a trial, or finds it done, and returns its Prefect future.

    Args:
        name: Of the task run.
        spec: What to train.
        dataset: On what.
        settings: Where, and with how many workers.
        folder: Of its checkpoint, below the store's `checkpoints`.
        keep_judged: Write the loss of each validation image to the store.
    """
    checkpoint = f"checkpoints/{folder}/{spec.lineage()}.npz"
    return _submit(
        name,
        spec,
        dataset,
        settings,
        checkpoint,
        False,
        keep_judged,
        spec.key(dataset, "finalist" if keep_judged else "trial"),
    )


def train_models(
    specs: dict[str, TrainingSpec], dataset: DatasetReference, settings: Settings
) -> list[tuple[TrainingResult, bool]]:
    """Trains models side by side from scratch, or finds them done, and keeps their weights.

    Args:
        specs: What to train, by name of the task run.
        dataset: On what.
        settings: Where, and with how many workers.

    Returns:
        In the order of `specs`: the result, and whether it came from the store.

    Raises:
        TrainingFailedError: If a loss was not finite.
    """
    keys = {name: spec.key(dataset, "model") for name, spec in specs.items()}
    store = Store(settings.store)
    with exclusively(settings, *keys.values()):
        if settings.refresh:
            _remove_checkpoints(store, keys)
        futures = [
            _submit(name, spec, dataset, settings, f"checkpoints/{keys[name]}.npz", True, False, keys[name])
            for name, spec in specs.items()
        ]
        results = [(future.result(), is_cached(future)) for future in futures]
        _remove_checkpoints(store, keys)
    for name, (result, _) in zip(specs, results, strict=True):
        PROGRESS.end(*place_of(name), result.metric("val_loss"))
        if result.failure:
            raise TrainingFailedError(f"{name}: {result.failure}")
    return results


def _submit(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    settings: Settings,
    checkpoint: str,
    keep_weights: bool,
    keep_judged: bool,
    key: str,
) -> PrefectFuture[TrainingResult]:
    PROGRESS.workers = workers_of(settings)
    store, priority = Store(settings.store), STAGE_NUMBER.get()
    root, name = store.address, name if settings.refresh else _named_as_found(name, store, key)
    return submit(
        train_task, settings, name, spec, dataset, root, workplace_of(settings), priority, checkpoint,
        keep_weights, keep_judged, key=key,
    )  # fmt: skip


def _named_as_found(name: str, store: Store, key: str) -> str:
    """The name with the score of an earlier run, where there is one: Prefect names a run before it finds its result."""
    try:
        found = read_record((store.results / key).read_bytes(), key)
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or none that could be believed
        return name
    return _scored(name, found) if isinstance(found, TrainingResult) else name


def _scored(name: str, result: TrainingResult) -> str:
    if result.failure:
        return f"{name} · failed"
    val_loss = result.metric("val_loss")
    return name if val_loss is None else f"{name} · val_loss {val_loss:.4f}"


def _remove_checkpoints(store: Store, keys: dict[str, str]) -> None:
    for key in keys.values():
        store.remove(f"checkpoints/{key}.npz")
