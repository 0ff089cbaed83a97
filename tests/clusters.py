"""A real scheduler and real workers, as processes in folders of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tasks.workers.interface import Workplace
from tests.conftest import free_port


class Cluster:
    """A scheduler and its workers as processes, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", "scheduler", "--host=127.0.0.1", f"--port={port}", "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self, *options: str, **environment: str) -> None:
        """Starts one with its nanny; it joins in its own time."""
        name = f"worker-{len(self.workers)}"
        arguments = ("worker", self.address, f"--name={name}", "--host=127.0.0.1", "--no-dashboard", *options)
        threads = () if options else ("--nthreads=1",)
        self.workers.append(self._start(name, *arguments, *threads, **environment))

    def place(self, store: Path) -> Workplace:
        return Workplace(0, self.address, store)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        folder = self.folder / name
        folder.mkdir(parents=True)
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
