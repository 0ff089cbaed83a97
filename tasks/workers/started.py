"""The workers of this process: started when first needed, stopped together."""

from __future__ import annotations

import atexit
import threading

from tasks.workers.interface import Workers, WorkersClosedError
from tasks.workers.local import LocalPool

_started: dict[int, Workers] = {}
_stopping = threading.Event()
_lock = threading.Lock()


def start_workers(count: int) -> Workers:
    """Returns this process's workers, started at the first call; so many functions run at a time.

    Raises:
        WorkersClosedError: If this process is stopping.
    """
    with _lock:
        if _stopping.is_set():
            raise WorkersClosedError("the run is stopping")
        if count not in _started:
            _started[count] = LocalPool(count)
        return _started[count]


@atexit.register
def close_workers() -> None:
    """Stops all workers of this process; it takes no more work."""
    _stopping.set()
    with _lock:
        for workers in _started.values():
            workers.close()


def workers_closed() -> bool:
    """Whether this process is stopping."""
    return _stopping.is_set()
