"""Run by `test_history.py`: changes a champion, and is killed before one of its steps on the disk, at each once.

`python -m tests.champion.killed STORE promote|rollback` makes copies STORE-0, STORE-1, …; the process that changes the
copy with number n gets SIGKILL before its step n. It prints how each ended; the last one came to its end.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_models.champion.history import promote, rollback
from mnist_models.foundation.store import Store
from tests.champion.examples import challenger


def change(store: Store, action: str) -> None:
    """What is killed."""
    if action == "promote":
        promote(store, challenger(store, "new"), "better")
    else:
        rollback(store, to=1)


def change_until(store: Store, action: str, step: int) -> None:
    """Changes the champion up to a step on the disk."""
    steps = itertools.count()

    def counted(do: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return do(*arguments, **options)

        return run

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    Path.chmod = counted(Path.chmod)  # type: ignore[method-assign]
    change(store, action)


def in_a_child(work: Callable[[], None]) -> int:
    """Returns the status with which a forked process ended, negative for a signal."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(int(sys.exc_info()[0] is not None))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for step in itertools.count():
        copy = Store(Path(f"{sys.argv[1]}-{step}"))
        shutil.copytree(sys.argv[1], copy.root)
        status = in_a_child(lambda: change_until(copy, sys.argv[2], step))  # noqa: B023
        sys.stdout.write(f"{status}\n")
        if status >= 0:
            break
