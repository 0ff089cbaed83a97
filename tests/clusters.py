"""A real scheduler and real workers, as processes in folders of their own."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from running.ports import free_port
from tasks.workers.interface import Workplace
from tests.conftest import ROOT
from tests.machines import Machine


class Cluster:
    """A scheduler and its workers as processes, each with a folder of its own.

    Args:
        folder: Of them all.
        host: Where the scheduler listens.
        **environment: Of all of them.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", **environment: str) -> None:
        self.folder = folder
        self._host, self._port = host, free_port()
        self._environment = environment
        self.address = f"tcp://{host}:{self._port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._starts: list[Callable[[], subprocess.Popen[bytes]]] = []
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """Starts it, or another in the place of one that was killed; it answers then."""
        options = (f"--host={self._host}", f"--port={self._port}", "--no-dashboard")
        self.scheduler = self._start("scheduler", "scheduler", *options)
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self._host, self._port)):
                return
            assert self.scheduler.poll() is None, (self.folder / "scheduler/log").read_text()
            time.sleep(0.1)

    def add_worker(self, *options: str, machine: Machine | None = None, **environment: str) -> None:
        """Starts one with its nanny, on a machine or on this one; it joins in its own time."""
        name, host = f"worker-{len(self.workers)}", machine.there if machine else "127.0.0.1"
        arguments = ("worker", self.address, f"--name={name}", f"--host={host}", "--no-dashboard", *options)
        threads = () if options else ("--nthreads=1",)
        enter = machine.enter if machine else ()
        start = functools.partial(self._start, name, *arguments, *threads, enter=enter, **environment)
        self._starts.append(start)
        self.workers.append(start())

    def revive(self) -> None:
        """Starts again the workers that ended, as whoever deployed them would: they end with their scheduler."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[number] = self._starts[number]()

    def place(self, store: Path) -> Workplace:
        return Workplace(0, self.address, store)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(
        self, name: str, *arguments: str, enter: tuple[str, ...] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*enter, sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **self._environment, **environment},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
