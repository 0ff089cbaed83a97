"""Results that are computed without a task run: of which Prefect's server is not told, nor this process burdened.

What else Prefect does for a task is done here, to the same end: the store's record is looked at first, what another try
can mend is tried as often, and the record is written as Prefect would write it. So a study may begin in the one way and
go on in the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from prefect.results import ResultRecord, ResultRecordMetadata  # type: ignore[attr-defined]  # it has no __all__

from mnist_models.foundation.records import SealedRecord
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from tasks.caching import SERIALIZER, discard_damaged, read_record
from tasks.retrying import DELAYS, MENDABLE
from tasks.workers.interface import WorkersClosedError

LOG = logging.getLogger(__name__)
R = TypeVar("R", bound=SealedRecord)
THREADS = ThreadPoolExecutor(10_000, thread_name_prefix="untold")  # as many as results are waited for at a time


def submit_untold(function: Callable[[str], R], settings: Settings, *, key: str) -> Callable[[], R | Exception]:
    """Starts to compute a result, or finds it in the store.

    Args:
        function: Computes the result of a key.
        settings: Which store; whether to compute the result anew in any case.
        key: Cache key of the result.

    Returns:
        What waits for the result and returns it, or why there is none; it raises `WorkersClosedError` if the run stops.
    """
    future = THREADS.submit(_compute, function, Store(settings.store), settings.refresh, key)

    def ended() -> R | Exception:
        try:
            return future.result()
        except WorkersClosedError:
            raise
        except Exception as error:
            return error

    return ended


def _compute(function: Callable[[str], R], store: Store, refresh: bool, key: str) -> R:
    path = store.results / key
    if not refresh:
        discard_damaged(store, key)
        if path.exists():
            return cast(R, read_record(path.read_bytes(), key))
    result = _try(function, key)
    about = ResultRecordMetadata(storage_key=str(path), serializer=SERIALIZER)
    store.write(path.relative_to(store.root), ResultRecord(result=result, metadata=about).serialize())
    return result


def _try(function: Callable[[str], R], key: str) -> R:
    for delay in DELAYS:
        try:
            return function(key)
        except MENDABLE as error:
            LOG.warning("%s: %s; trying again in %d s", type(error).__name__, error, delay)
            time.sleep(delay)
    return function(key)
