"""The pool of worker processes: persistent, one thread each, and each replaceable alone.

A flow's tasks run in its own process and hand the work to this pool. A worker that dies costs only the task that it had; the
others go on.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
}


class WorkerDiedError(RuntimeError):
    """A worker process ended in the middle of its work: killed, out of memory, or crashed."""


class PoolClosedError(RuntimeError):
    """The run is stopping; no work is taken any more."""


class WorkerPool:
    """Worker processes that import TensorFlow once and stay.

    Args:
        workers: Number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._closed = threading.Event()
        self._free: queue.SimpleQueue[ProcessPoolExecutor | None] = queue.SimpleQueue()
        self._all: list[ProcessPoolExecutor] = []
        for _ in range(workers):
            self._free.put(self._start())

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a function in a free worker and waits for what it returns.

        Raises:
            WorkerDiedError: If the worker died; another has taken its place.
            PoolClosedError: If the pool was closed.
        """
        executor = self._free.get()
        if executor is None or self._closed.is_set():
            self._free.put(executor)
            raise PoolClosedError("the run is stopping")
        try:
            return executor.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            if self._closed.is_set():
                raise PoolClosedError("the run is stopping") from None
            self._all.remove(executor)
            executor = self._start()
            raise WorkerDiedError("a worker process died (killed, out of memory or crashed)") from error
        finally:
            self._free.put(executor)

    def processes(self) -> list[int]:
        """Process numbers of the workers."""
        return [process.pid for executor in list(self._all) for process in (executor._processes or {}).values()]

    def close(self) -> None:
        """Stops the workers at once, in the middle of their work."""
        self._closed.set()
        for _ in range(self.workers):
            self._free.put(None)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for executor in self._all:
            executor.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_prepare_worker)
        executor.submit(os.getpid)  # starts the process now, not with the first task
        self._all.append(executor)
        return executor


_pools: dict[int, WorkerPool] = {}
_lock = threading.Lock()


def worker_pool(workers: int) -> WorkerPool:
    """Returns this process's pool of that size, started at the first call."""
    with _lock:
        if workers not in _pools:
            _pools[workers] = WorkerPool(workers)
        return _pools[workers]


@atexit.register
def close_pools() -> None:
    """Stops all workers of this process."""
    with _lock:
        while _pools:
            _pools.popitem()[1].close()


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps what TensorFlow's C++ writes to stderr while it is imported off the terminal."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _prepare_worker() -> None:
    """Runs first in each worker."""
    os.environ.update(ONE_THREAD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the flow decides what it means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with quiet_import():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with_parent() -> None:
    """A worker whose flow was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
