"""The workers of this process: started when first needed, stopped together."""

from __future__ import annotations

import atexit
import threading
from pathlib import Path

from mnist_models.foundation.settings import Settings
from tasks.workers.interface import Workers, WorkersClosedError, Workplace
from tasks.workers.local import LocalPool

_started: dict[Workplace, Workers] = {}
_stopping = threading.Event()
_lock = threading.Lock()


def workplace_of(settings: Settings) -> Workplace:
    """Returns where the settings have work run."""
    if settings.cluster is None:
        return Workplace(settings.workers)
    folder = settings.store.resolve() if isinstance(settings.store, Path) else None
    return Workplace(0, settings.cluster, folder, settings.needed_resources)


def workers_of(settings: Settings) -> int:
    """Returns how many functions run at a time there; at least one, as a cluster's workers may be yet to come."""
    return settings.workers if settings.cluster is None else max(start_workers(workplace_of(settings)).count, 1)


def start_workers(place: Workplace) -> Workers:
    """Returns this process's workers at a place, started at the first call.

    Raises:
        WorkersClosedError: If this process is stopping.
        ClusterError: If there is no such cluster, or none of its workers will do.
    """
    with _lock:
        if _stopping.is_set():
            raise WorkersClosedError("the run is stopping")
        if place not in _started:
            _started[place] = _start(place)
        return _started[place]


def _start(place: Workplace) -> Workers:
    if place.cluster is None:
        return LocalPool(place.processes)
    from tasks.cluster.dask import DaskWorkers  # an extra, which only those need who have a cluster

    return DaskWorkers(place, lost=close_workers)


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
