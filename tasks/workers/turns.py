"""Turns: who of those that wait gets the next free worker."""

from __future__ import annotations

import heapq
import itertools
import threading

from tasks.workers.interface import WorkersClosedError


class Turns:
    """Lets so many callers work at a time, the lowest priority number first, and of equals the first that came.

    Whoever is next is woken, and nobody else: hundreds may wait.

    Args:
        workers: How many; may change while others wait.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._workers = workers
        self._closed = False
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, threading.Event]] = []  # a heap of (priority, number, what wakes)
        self._lock = threading.Lock()

    def take(self, priority: int) -> None:
        """Waits for a free worker.

        Raises:
            WorkersClosedError: If there will be none any more.
        """
        mine = threading.Event()
        with self._lock:
            heapq.heappush(self._waiting, (priority, next(self._numbers), mine))
            self._hand_out()
        mine.wait()
        if self._closed:
            raise WorkersClosedError("the run is stopping")

    def give_back(self) -> None:
        """Frees the worker that was taken."""
        with self._lock:
            self._free += 1
            self._hand_out()

    def resize(self, workers: int) -> None:
        """Takes note that there are more workers now, or fewer."""
        with self._lock:
            self._free += workers - self._workers
            self._workers = workers
            self._hand_out()

    def close(self) -> None:
        """Sends all away that wait, and all that come."""
        with self._lock:
            self._closed = True
            self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and (self._free > 0 or self._closed):
            self._free -= 1
            heapq.heappop(self._waiting)[2].set()
