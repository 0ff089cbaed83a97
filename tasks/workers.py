"""The pool of worker processes: persistent, one thread each, and each replaceable alone.

A flow's tasks run in its own process and hand the work to this pool. A worker that dies costs only the task that it
had; the others go on. One that has grown too large is replaced between two tasks.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import heapq
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
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
MOST_MEMORY = 950_000_000  # bytes: TensorFlow keeps some of what each network needed, so workers grow with every shape
FEWEST_TASKS = 8  # of a worker before it is replaced for its size: a start takes seconds, and larger images need more
UNUSED = ("matplotlib", "scipy", "sklearn")  # Keras and TensorFlow import them where they are: 100 MB and a second


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
        self._closed = False
        self._turns = itertools.count()
        self._waiting: list[tuple[int, int]] = []  # a heap of (priority, turn)
        self._change = threading.Condition()
        self._all: list[ProcessPoolExecutor] = []
        self._tasks: Counter[ProcessPoolExecutor] = Counter()
        self._idle = [self._start() for _ in range(workers)]

    def run(self, priority: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a function in a worker and waits for what it returns.

        Args:
            priority: The lowest of those that wait gets the next free worker; of equals, the first.
            function: An importable function.
            *args: Of the function; sent to the worker, as is its result.
            **kwargs: Likewise.

        Raises:
            WorkerDiedError: If the worker died; another has taken its place.
            PoolClosedError: If the pool was closed.
        """
        executor = self._take(priority)
        try:
            result = executor.submit(function, *args, **kwargs).result()
            self._tasks[executor] += 1
            if self._tasks[executor] >= FEWEST_TASKS and _memory(executor) > MOST_MEMORY and not self._closed:
                executor = self._replace(executor)
            return result
        except (BrokenProcessPool, CancelledError) as error:
            if self._closed:
                raise PoolClosedError("the run is stopping") from None
            executor = self._replace(executor)
            raise WorkerDiedError("a worker process died (killed, out of memory or crashed)") from error
        finally:
            with self._change:
                self._idle.append(executor)
                self._change.notify_all()

    def _take(self, priority: int) -> ProcessPoolExecutor:
        """Waits for a free worker."""
        ticket = (priority, next(self._turns))
        with self._change:
            heapq.heappush(self._waiting, ticket)
            self._change.wait_for(lambda: self._closed or (self._idle and self._waiting[0] == ticket))
            if self._closed:
                raise PoolClosedError("the run is stopping")
            heapq.heappop(self._waiting)
            self._change.notify_all()
            return self._idle.pop()

    def processes(self) -> list[int]:
        """Process numbers of the workers."""
        return [pid for executor in list(self._all) for pid in executor._processes or ()]

    def close(self) -> None:
        """Stops the workers at once, in the middle of their work."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for executor in self._all:
            executor.shutdown(wait=False, cancel_futures=True)

    def _replace(self, executor: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._all.remove(executor)
        del self._tasks[executor]
        executor.shutdown(wait=False)
        return self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_prepare_worker)
        with _without_main_module():
            executor.submit(os.getpid)  # starts the process now, not with the first task
        self._all.append(executor)
        return executor


def _memory(executor: ProcessPoolExecutor) -> int:
    """Resident memory of a worker in bytes; 0 where the system does not tell."""
    try:
        [process] = list(executor._processes or ())  # none where the pool was just closed
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


_pools: dict[int, WorkerPool] = {}
_stopping = threading.Event()
_lock = threading.Lock()
_main_lock = threading.Lock()
_import_lock = threading.Lock()


def worker_pool(workers: int) -> WorkerPool:
    """Returns this process's pool of that size, started at the first call."""
    with _lock:
        if _stopping.is_set():
            raise PoolClosedError("the run is stopping")
        if workers not in _pools:
            _pools[workers] = WorkerPool(workers)
        return _pools[workers]


@atexit.register
def close_pools() -> None:
    """Stops all workers of this process; it takes no more work."""
    _stopping.set()
    with _lock:
        for pool in _pools.values():
            pool.close()


def pools_closed() -> bool:
    """Whether this process is stopping."""
    return _stopping.is_set()


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps what TensorFlow's C++ writes to stderr while it is imported off the terminal."""
    with _import_lock:
        stderr = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Spawned processes import the parent's main module again; a worker needs nothing of the flow it works for."""
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextlib.contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Lets packages look as if they were not installed, to whatever would import them only because they are."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None stands for: not to be found
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


def _prepare_worker() -> None:
    """Runs first in each worker."""
    os.environ.update(ONE_THREAD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the flow decides what it means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with quiet_import(), _hidden(*UNUSED):
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # a kept program per shape looks like retracing to it
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    gc.freeze()  # what TensorFlow brings lives as long as the worker: no collection need look at it


def _end_with_parent() -> None:
    """A worker whose flow was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
