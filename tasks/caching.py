"""How tasks are cached: by keys that we compute, as JSON records that are verified before Prefect may believe them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import prefect.runtime
from prefect import State, Task
from prefect.cache_policies import CacheKeyFnPolicy, CachePolicy
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.futures import PrefectFuture
from prefect.serializers import JSONSerializer
from prefect.tasks import StateHookCallable
from pydantic import BaseModel, ValidationError

from mnist_models.champion.gate import Decision
from mnist_models.data.dataset import DatasetReference
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.inspection.inspection import Inspection
from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.export import ExportedModel
from mnist_models.judging.out_of_fold import FoldResult, LabelReport
from mnist_models.judging.predictions import Predictions
from mnist_models.search.trials import StudyResult
from mnist_models.time_budget.plan import TimePlan
from mnist_models.time_budget.window import WindowPlan
from mnist_models.training.result import TrainingResult
from tasks.workers.interface import WorkersClosedError
from tasks.workers.started import workers_closed

LOG = logging.getLogger(__name__)
RECORDS: dict[str, type[SealedRecord]] = {
    record.__name__: record
    for record in (
        DatasetReference,
        Inspection,
        TimePlan,
        WindowPlan,
        TrainingResult,
        StudyResult,
        FoldResult,
        LabelReport,
        FinalResult,
        Predictions,
        ExportedModel,
        ExportedForm,
        Decision,
    )
}
SERIALIZER: JSONSerializer[Any] = JSONSerializer(
    object_encoder=f"{__name__}.encode_record", object_decoder=f"{__name__}.decode_record"
)
"""Writes records by their name, not by the module that they lie in, which may change."""


TASK_RUNS: list[UUID] = []
"""The task runs that this process started."""


def by_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """The cache key is the task's own parameter `key`, which holds inputs, data and code."""
    return str(parameters["key"])


BY_KEY: CachePolicy = CacheKeyFnPolicy(cache_key_fn=by_key)
"""The cache policy of every task that computes something."""

DURABLE: dict[str, Any] = {
    "cache_policy": BY_KEY,
    "persist_result": True,
    "result_serializer": SERIALIZER,
    "cache_result_in_memory": False,
}
"""Options of every task that computes something."""


def submit(task: Task[..., Any], settings: Settings, *arguments: Any, key: str) -> PrefectFuture[Any]:
    """Starts a task whose results are in the store, once a damaged record of its key is out of the way.

    Args:
        task: A task with the options `DURABLE`.
        settings: Which store; whether to compute the result anew in any case.
        *arguments: Of the task, before its last parameter `key`.
        key: Cache key of the result.
    """
    store = Store(settings.store)
    if not settings.refresh:
        discard_damaged(store, key)
    run = task.with_options(
        result_storage=store.results, refresh_cache=settings.refresh, on_completion=_sharing(store, key)
    )
    future = run.submit(*arguments, key=key)
    TASK_RUNS.append(future.task_run_id)
    return future


def _sharing(store: Store, key: str) -> list[StateHookCallable] | None:
    """What Prefect does between writing a result to this machine's copies and telling anybody that it is there."""

    def share_result(task: Task[..., Any], run: TaskRun, state: State[Any]) -> None:
        if state.name != "Cached":
            store.share(f"results/{key}")

    return None if store.objects is None else [share_result]


def compute(task: Task[..., Any], settings: Settings, *arguments: Any, key: str) -> tuple[Any, bool]:
    """Runs a task to its end, or finds its result in the store; of two runs that want the same, one waits.

    Returns:
        The result, and whether it came from the store.
    """
    with exclusively(settings, key):
        future = submit(task, settings, *arguments, key=key)
        return future.result(), is_cached(future)


@contextlib.contextmanager
def computing(task: Task[..., Any], settings: Settings, *arguments: Any, key: str) -> Iterator[Callable[[], Any]]:
    """Does what `compute` does while its caller does something else; what is yielded waits for the result."""
    with exclusively(settings, key):
        future = submit(task, settings, *arguments, key=key)
        yield future.result
        future.wait()


@contextlib.contextmanager
def exclusively(settings: Settings, *keys: str) -> Iterator[None]:
    """Keeps other runs on the same store from computing the same results meanwhile."""
    holder = f"{prefect.runtime.flow_run.name}, process {os.getpid()}"
    said: set[str] = set()

    def wait(other: str) -> None:
        if workers_closed():
            raise WorkersClosedError("the run is stopping")
        if other and other not in said:
            said.add(other)
            LOG.info("waiting for %s, which computes the same", other)

    with contextlib.ExitStack() as stack:
        for key in sorted(keys):
            stack.enter_context(Store(settings.store).lock(key, holder, wait))
        yield


def is_cached(future: PrefectFuture[Any]) -> bool:
    """Whether a finished task's result came from the store."""
    return bool(future.state.name == "Cached")


def discard_damaged(store: Store, key: str) -> None:
    """Removes a record that is not sound, or points to a file that is not, so that it is computed again."""
    path = store.results / key
    store.renew(path)
    if not path.exists():
        return
    try:
        for reference in _files(read_record(path.read_bytes(), key)):
            store.holds(reference)
    except (ValueError, ValidationError, KeyError, TypeError, DamagedFileError) as error:
        damaged = error.path if isinstance(error, DamagedFileError) else path
        LOG.warning("%s is damaged and is computed again (%s)", damaged, str(error).splitlines()[0])
        store.remove(path.relative_to(store.root))


def read_record(content: bytes, key: str) -> SealedRecord:
    """Reads a record as Prefect wrote it, without letting it choose how it is read.

    Raises:
        ValueError: If it is not JSON, was altered, is of another kind, or answers another key.
    """
    outer = json.loads(content)
    if outer["metadata"]["serializer"] != SERIALIZER.model_dump(mode="json"):
        raise ValueError(f"expected a record of ours, received one of {outer['metadata']['serializer']['type']!r}")
    record = decode_record(json.loads(outer["result"]))
    if not isinstance(record, SealedRecord) or record.key != key:
        raise ValueError("it is the record of another task")
    return record


def encode_record(record: SealedRecord) -> dict[str, Any]:
    """Turns a record into what JSON holds."""
    return {"record": type(record).__name__, "data": record.model_dump(mode="json")}


def decode_record(value: dict[str, Any]) -> Any:
    """Turns what `encode_record` made into a record again; called for every object in it, which stays as it is.

    Raises:
        KeyError: If there is no such record.
        ValidationError: If it was altered.
    """
    return RECORDS[value["record"]].model_validate(value["data"]) if set(value) == {"record", "data"} else value


def _files(value: Any) -> Iterator[FileReference]:
    """All files that a record points to."""
    if isinstance(value, FileReference):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _files(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _files(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _files(item)
