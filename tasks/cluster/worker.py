"""What happens on a worker of the cluster: it is made ready, looked at, and left when nobody waits for it any more."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from mnist_models.foundation.arithmetic import Arithmetic, arithmetic_here
from mnist_models.foundation.records import digest
from tasks.workers.process import import_tensorflow

REFUSED, BEGUN = "mnist-models-refused", "mnist-models-begun"  # topics of the scheduler's events
SECONDS = 1.0  # between two looks at whether somebody still waits
ABANDONED_STATUS = 3
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MMAP_THRESHOLD = 32 * 2**20  # bytes

_preparing = threading.Lock()
_prepared = threading.Event()


class Admission(WorkerPlugin):  # type: ignore[misc]  # Dask is looked at as untyped
    """Lets a worker take trainings of a run, by a resource of its name, if it computes what the run's machine does.

    Dask brings it to every worker that there is, and to those that come later.

    Args:
        expected: What the run's machine computes with.
        mark: A file that every worker must see, in a store that is a folder; None for objects.
    """

    def __init__(self, expected: Arithmetic, mark: Path | None) -> None:
        self.expected = expected
        self.mark = mark
        self.resource = f"mnist-models-{digest([expected.digest, str(mark)])[:16]}"
        self.name = self.resource

    async def setup(self, worker: Worker) -> None:
        """Admits the worker, or says why not."""
        reasons = reasons_against(worker, self.expected, self.mark)
        if reasons:
            worker.loop.call_later(SECONDS, worker.log_event, REFUSED, [worker.address, reasons])
            return
        prepare()
        await worker.set_resources(**{self.resource: 1.0})


def reasons_against(worker: Worker, expected: Arithmetic, mark: Path | None) -> list[str]:
    """Says why a worker must not work for a run; nothing where it may."""
    reasons = expected.differences(arithmetic_here())
    if worker.state.nthreads != 1:
        reasons.append(f"threads: expected 1 (dask worker --nthreads 1), found {worker.state.nthreads}")
    if mark is not None and not mark.exists():
        reasons.append(f"store: expected to see {mark.parent.parent}, found no such folder (or use --store s3://…)")
    return reasons


def prepare() -> None:
    """Makes this process ready to train, once."""
    with _preparing:
        if not _prepared.is_set():
            from threadpoolctl import threadpool_limits

            import_tensorflow()
            threadpool_limits(1)
            _keep_freed_memory()
            _prepared.set()


def _keep_freed_memory() -> None:
    """Undoes what Dask sets for its workers: to give the system back what is freed, above 64 kB, at once.

    A training frees and takes the same megabytes at every step, and would wait for the system to clear them. These are
    the values that glibc comes to by itself.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, 2 * MMAP_THRESHOLD)


def work(run: str, number: int, function: Callable[[], Any]) -> Any:
    """Tells the run that its function begins, and does it."""
    worker = get_worker()
    worker.log_event(f"{BEGUN}-{run}", number)
    with _left_when_abandoned(worker, worker.get_current_task()):
        return function()


@contextlib.contextmanager
def _left_when_abandoned(worker: Worker, task: Any) -> Iterator[None]:
    """Ends this process, which its nanny starts anew, when what it trains is not wanted any more: a run was stopped."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SECONDS):
            state = worker.state.tasks.get(task)
            if state is None or state.state == "cancelled":
                os._exit(ABANDONED_STATUS)

    threading.Thread(target=watch, daemon=True, name="abandoned").start()
    try:
        yield
    finally:
        done.set()
