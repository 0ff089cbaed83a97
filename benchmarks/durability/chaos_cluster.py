"""The cluster that `benchmarks.durability.chaos --cluster` trains on: a scheduler and workers of this machine."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.durability.chaos_kills import CLUSTER_MARK, HOOKS, ROOT, Kill, wait_for
from running.ports import free_port

LEFT = 30.0  # seconds in which workers leave what nobody waits for


class TorturedCluster:
    """A scheduler, which is started again where it was killed, and workers, whose nannies do so.

    Args:
        folder: Of the runs that it trains for; logs lie beside it.
        workers: How many.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)  # the hooks look for it as the processes start
        self._folder = folder
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._scheduler = self._start_scheduler()
        self._nannies = [
            self._start(f"worker-{number}", "worker", self.address, "--nthreads=1") for number in range(workers)
        ]

    def victims(self, target: str) -> list[int]:
        """The processes that a kill may hit: the scheduler, or those that train, which are their nannies' children."""
        if target == "scheduler":
            return [self._scheduler.pid]
        return [child for nanny in self._nannies for child in _children(nanny.pid) if b"spawn_main" in _command(child)]

    def strike(self, kill: Kill, chance: random.Random) -> bool:
        """Kills one of them, and starts the scheduler again where it was that."""
        victims = self.victims(kill.target)
        if not victims:
            return False
        os.kill(chance.choice(victims), kill.number)
        if kill.target == "scheduler":
            self._scheduler.wait()
            time.sleep(chance.uniform(0, 5))
            self._scheduler = self._start_scheduler()
        return True

    def is_idle(self) -> bool:
        """Whether its workers left all work in time."""
        from distributed import Client

        with Client(self.address, set_as_default=False, timeout=LEFT) as client:
            return wait_for(lambda: not client.processing() or not any(client.processing().values()), LEFT)

    def close(self) -> None:
        """Ends all processes."""
        for process in (*self._nannies, self._scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        return self._start("scheduler", "scheduler", f"--port={self._port}")

    def _start(self, name: str, kind: str, *options: str) -> subprocess.Popen[bytes]:
        folder = self._folder.with_name("cluster") / name
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))},
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}", "CHAOS_FOLDER": str(self._folder), CLUSTER_MARK: "1",
        }  # fmt: skip
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, "--host=127.0.0.1", "--no-dashboard"]
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
