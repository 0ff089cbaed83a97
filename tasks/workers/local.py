"""The pool of worker processes: persistent, one thread each, and each replaceable alone.

A flow's tasks run in its own process and hand the work to this pool. A worker that dies costs only the task that it
had; the others go on. One that has grown too large is replaced between two tasks.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tasks.workers.interface import P, R, Turn, WorkerDiedError, WorkersClosedError
from tasks.workers.process import prepare_process
from tasks.workers.turns import Turns

MOST_MEMORY = 950_000_000  # bytes: TensorFlow keeps some of what each network needed, so workers grow with every shape
FEWEST_TASKS = 8  # of a worker before it is replaced for its size: a start takes seconds, and larger images need more


class LocalPool:
    """Worker processes that import TensorFlow once and stay.

    Args:
        count: Number of processes.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._closed = False
        self._turns = Turns(count)
        self._all: list[ProcessPoolExecutor] = []
        self._tasks: Counter[ProcessPoolExecutor] = Counter()
        self._started: dict[ProcessPoolExecutor, Future[int]] = {}
        self._idle = [self._start() for _ in range(count)]

    def run(self, turn: Turn, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a function in a free process; one that died is replaced at once."""
        self._turns.take(turn.priority)
        executor = self._idle.pop()
        try:
            self._started[executor].result()
            turn.begun()
            result = executor.submit(function, *args, **kwargs).result()
            self._tasks[executor] += 1
            if self._tasks[executor] >= FEWEST_TASKS and _memory(executor) > MOST_MEMORY and not self._closed:
                executor = self._replace(executor)
            return result
        except (BrokenProcessPool, CancelledError) as error:
            if self._closed:
                raise WorkersClosedError("the run is stopping") from None
            executor = self._replace(executor)
            raise WorkerDiedError("a worker process died (killed, out of memory or crashed)") from error
        finally:
            self._idle.append(executor)
            self._turns.give_back()

    def processes(self) -> list[int]:
        """Process numbers of the workers."""
        return [pid for executor in list(self._all) for pid in executor._processes or ()]

    def close(self) -> None:
        """Stops the workers at once, in the middle of their work."""
        self._closed = True
        self._turns.close()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for executor in self._all:
            executor.shutdown(wait=False, cancel_futures=True)

    def _replace(self, executor: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._all.remove(executor)
        del self._tasks[executor], self._started[executor]
        executor.shutdown(wait=False)
        return self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=prepare_process)
        with _without_main_module():
            self._started[executor] = executor.submit(os.getpid)  # starts the process now, not with the first task
        self._all.append(executor)
        return executor


def _memory(executor: ProcessPoolExecutor) -> int:
    """Resident memory of a worker in bytes; 0 where the system does not tell."""
    try:
        [process] = list(executor._processes or ())  # none where the pool was just closed
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


_main = threading.Lock()


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Spawned processes import the parent's main module again; a worker needs nothing of the flow it works for."""
    with _main:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
