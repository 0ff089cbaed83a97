"""Hooks that `chaos` puts into every process of a run, through PYTHONPATH: they count, note and kill.

- Each rename of a file in the store is counted; the one named by CHAOS_KILL ("flow before 12") sends a SIGKILL.
- Each epoch that a training begins is noted, so that epochs trained twice can be counted.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(os.environ.get("CHAOS_FOLDER", "/nonexistent"))
TARGET, WHEN, NUMBER = (os.environ.get("CHAOS_KILL", "") or "none none 0").split()


def note(name: str, text: str) -> int:
    """Appends to a file of all processes, in one write, and returns its length."""
    descriptor = os.open(FOLDER / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, text.encode())
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def strike(when: str, count: int) -> None:
    """Kills what is to be killed, if this is the instant."""
    if (when, count) != (WHEN, int(NUMBER)):
        return
    parent = multiprocessing.parent_process()
    victim = os.getpid() if TARGET == "worker" or parent is None else parent.pid
    if TARGET == "worker" and parent is None:
        return  # the flow renames files as well, but is not this kill's target
    note("hit", "x")
    os.kill(victim or os.getpid(), signal.SIGKILL)
    time.sleep(5)  # a killed parent takes this worker with it


def counted(rename: Callable[..., None]) -> Callable[..., None]:
    """Wraps `os.replace`."""

    def run(source: Any, target: Any, **options: Any) -> None:
        inside = Path(target).is_relative_to(FOLDER / "store")
        count = note("renames", ".") if inside else 0
        strike("before", count)
        rename(source, target, **options)
        strike("after", count)

    return run


class EpochNotes(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `mnist_models.training.loop`, as often as it is looked for, and makes it note each epoch it begins."""

    looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Takes over for one module."""
        if name != "mnist_models.training.loop" or self.looking:
            return None
        self.looking = True
        try:
            self.spec = importlib.util.find_spec(name)
        finally:
            self.looking = False
        return importlib.util.spec_from_file_location(name, self.spec.origin, loader=self) if self.spec else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As usual."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module and wraps the training of an epoch."""
        assert self.spec and self.spec.loader
        self.spec.loader.exec_module(module)
        begin, train = module._Loop.begin, module._Loop.train_epoch

        def begun(loop: Any, checkpoint: Any) -> None:
            loop.noted = checkpoint._name  # the same on every machine
            begin(loop, checkpoint)

        def noted(loop: Any) -> None:
            note("epochs", f"{loop.noted} {loop.epoch}\n")
            train(loop)

        module._Loop.begin, module._Loop.train_epoch = begun, noted


if FOLDER.exists():
    os.replace = counted(os.replace)
    sys.meta_path.insert(0, EpochNotes())
