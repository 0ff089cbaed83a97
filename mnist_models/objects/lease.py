"""A lease: an object that says who works on what, kept by writing it again and again.

Clocks of machines differ, so a lease has no time in it. Who waits looks at it, and takes it over when it has not
changed through so many seconds of looking: while nobody answers, no time passes. Each version is written over the one
before, so of two that take it over one is refused, and a holder that was slow finds that it has lost it at its next
write.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator

from mnist_models.objects.interface import ConflictError, Objects

BEAT = 3.0  # seconds between two writes of who holds it
PATIENCE = 15.0  # seconds of looking at a lease that does not change
POLL = 0.5  # seconds between two looks


@contextlib.contextmanager
def leased(objects: Objects, name: str, holder: str, wait: Callable[[str], None]) -> Iterator[None]:
    """Holds a lease that other machines respect.

    Args:
        objects: Where it lies.
        name: Of the object.
        holder: Who holds it, for those who wait.
        wait: Called again and again while another holds it, with who that is; may raise to give up.

    Raises:
        ConflictError: At the end, if another took it over meanwhile.
    """
    lease = _Lease(objects, name, holder)
    lease.take(wait)
    done = threading.Event()
    beating = threading.Thread(target=lease.beat, args=(done,), daemon=True, name="lease")
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        lease.leave()


class _Lease:
    def __init__(self, objects: Objects, name: str, holder: str) -> None:
        self.objects = objects
        self.name = name
        self.holder = holder
        self.tag: str | None = None
        self.lost = False

    def take(self, wait: Callable[[str], None]) -> None:
        """Waits until it is free or abandoned, and takes it."""
        watched, unchanged, looked = None, 0.0, time.monotonic()
        while True:
            found = self.objects.get(self.name)
            now = time.monotonic()
            unchanged += min(now - looked, 2 * POLL)
            looked = now
            if found is None or found.tag != watched:
                watched, unchanged = found and found.tag, 0.0
            other = _holder(found.data) if found else ""
            if not other or unchanged >= PATIENCE:
                with contextlib.suppress(ConflictError):
                    self.tag = self._write(self.holder, watched)
                    return
            wait(other)
            time.sleep(POLL)

    def beat(self, done: threading.Event) -> None:
        """Shows that its holder lives."""
        while not done.wait(BEAT) and not self.lost:
            try:
                self.tag = self._write(self.holder, self.tag)
            except ConflictError:
                self.lost = True
            except OSError:  # nobody answers: nobody can take it over, either
                continue

    def leave(self) -> None:
        """Lets the next one have it at once."""
        with contextlib.suppress(ConflictError):
            if not self.lost:
                self._write("", self.tag)
                return
        raise ConflictError(f"{self.name}: another took it over, as this one did not answer for too long")

    def _write(self, holder: str, over: str | None) -> str:
        return self.objects.put(self.name, json.dumps([holder, uuid.uuid4().hex]).encode(), over)


def _holder(data: bytes) -> str:
    holder, _ = json.loads(data)
    return str(holder)
