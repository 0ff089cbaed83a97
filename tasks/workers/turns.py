"""Turns: who of those that wait gets the next free worker."""

from __future__ import annotations

import heapq
import itertools
import threading

from tasks.workers.interface import WorkersClosedError


class Turns:
    """Lets so many callers work at a time, the lowest priority number first, and of equals the first that came.

    Args:
        workers: How many; may change while others wait.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._workers = workers
        self._closed = False
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int]] = []  # a heap of (priority, number)
        self._change = threading.Condition()

    def take(self, priority: int) -> None:
        """Waits for a free worker.

        Raises:
            WorkersClosedError: If there will be none any more.
        """
        ticket = (priority, next(self._numbers))
        with self._change:
            heapq.heappush(self._waiting, ticket)
            self._change.wait_for(lambda: self._closed or (self._free > 0 and self._waiting[0] == ticket))
            if self._closed:
                raise WorkersClosedError("the run is stopping")
            heapq.heappop(self._waiting)
            self._free -= 1
            self._change.notify_all()

    def give_back(self) -> None:
        """Frees the worker that was taken."""
        with self._change:
            self._free += 1
            self._change.notify_all()

    def resize(self, workers: int) -> None:
        """Takes note that there are more workers now, or fewer."""
        with self._change:
            self._free += workers - self._workers
            self._workers = workers
            self._change.notify_all()

    def close(self) -> None:
        """Sends all away that wait, and all that come."""
        with self._change:
            self._closed = True
            self._change.notify_all()
