"""Locks between the processes and threads of a machine."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL = 0.2  # seconds between two looks at a lock that another holds


@contextlib.contextmanager
def locked(path: Path, holder: str, wait: Callable[[str], None]) -> Iterator[None]:
    """Holds a lock that the kernel releases when its holder dies.

    Args:
        path: Of the file that stands for it.
        holder: Who holds it, for those who wait.
        wait: Called again and again while another holds the lock, with who that is; may raise to give up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                wait(file.read())
                time.sleep(POLL)
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield
