"""The task that trains one network."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

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
from tasks.untold import submit_untold
from tasks.workers.interface import Turn, WorkersClosedError, Workplace
from tasks.workers.started import start_workers, workers_of, workplace_of

STAGE_NUMBER: ContextVar[int] = ContextVar("STAGE_NUMBER", default=0)
"""Position of the running stage in the pipeline: where several run at a time, the first gets the workers first."""

Ended = Callable[[], TrainingResult | Exception]
"""Waits for a training and returns its result, or why there is none; raises `WorkersClosedError` if the run stops."""


class TrainingFailedError(RuntimeError):
    """A model that the pipeline needs could not be trained."""


@dataclass(frozen=True)
class Training:
    """What one training needs, besides the key of its result; see `mnist_models.training.loop.fit`."""

    name: str
    spec: TrainingSpec
    dataset: DatasetReference
    root: Address
    place: Workplace
    priority: int
    checkpoint: str
    keep_weights: bool
    keep_judged: bool

    def run(self, key: str) -> TrainingResult:
        """Trains in a worker process, and waits for it."""
        stage, training = place_of(self.name)
        turn = Turn(self.priority, begun=lambda: PROGRESS.begin(stage, training))
        result = start_workers(self.place).run(
            turn, fit, self.spec, self.dataset, self.root,
            key=key, checkpoint=self.checkpoint, keep_weights=self.keep_weights, keep_judged=self.keep_judged,
        )  # fmt: skip
        PROGRESS.end(stage, training, result.metric("val_loss"))
        return result


@task(name="train", task_run_name="{name}", **RETRIED, **DURABLE)
@stoppable
def train_task(name: str, training: Training, key: str) -> TrainingResult:
    """Trains one network."""
    result = training.run(key)
    name_task_run(_scored(training.name, result))
    return result


def submit_trial(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    settings: Settings,
    folder: str,
    *,
    keep_judged: bool = False,
    told: bool = True,
) -> Ended:
    """Starts the training of a trial, or finds it done.

    Args:
        name: Of the task run.
        spec: What to train.
        dataset: On what.
        settings: Where, and with how many workers.
        folder: Of its checkpoint, below the store's `checkpoints`.
        keep_judged: Write the loss of each validation image to the store.
        told: As a task run of its own.
    """
    key = spec.key(dataset, "finalist" if keep_judged else "trial")
    checkpoint = f"checkpoints/{folder}/{spec.lineage()}.npz"
    training = _training(name, spec, dataset, settings, checkpoint, keep_judged=keep_judged)
    if told:
        return _ended(_submit(training, settings, key))
    return submit_untold(training.run, settings, key=key)


def _ended(future: PrefectFuture[TrainingResult]) -> Ended:
    def ended() -> TrainingResult | Exception:
        future.wait()
        if future.state.is_cancelled() or future.state.is_crashed():
            raise WorkersClosedError("the run is stopping")
        result: TrainingResult | Exception = future.state.result(raise_on_failure=False)
        return result

    return ended


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
            _submit(
                _training(name, spec, dataset, settings, _checkpoint(keys[name]), keep_weights=True),
                settings,
                keys[name],
            )
            for name, spec in specs.items()
        ]
        results = [(future.result(), is_cached(future)) for future in futures]
        _remove_checkpoints(store, keys)
    for name, (result, _) in zip(specs, results, strict=True):
        PROGRESS.end(*place_of(name), result.metric("val_loss"))
        if result.failure:
            raise TrainingFailedError(f"{name}: {result.failure}")
    return results


def _training(
    name: str,
    spec: TrainingSpec,
    dataset: DatasetReference,
    settings: Settings,
    checkpoint: str,
    *,
    keep_weights: bool = False,
    keep_judged: bool = False,
) -> Training:
    PROGRESS.workers = workers_of(settings)
    return Training(
        name, spec, dataset, Store(settings.store).address, workplace_of(settings), STAGE_NUMBER.get(), checkpoint,
        keep_weights, keep_judged,
    )  # fmt: skip


def _submit(training: Training, settings: Settings, key: str) -> PrefectFuture[TrainingResult]:
    name = training.name if settings.refresh else _named_as_found(training.name, Store(settings.store), key)
    return submit(train_task, settings, name, training, key=key)


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
        store.remove(_checkpoint(key))


def _checkpoint(key: str) -> str:
    return f"checkpoints/{key}.npz"
