"""The kills of `benchmarks.durability.chaos`: whom, how and when; and the runs that they hit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
HOOKS = Path(__file__).parent / "chaos_hooks"
CLUSTER_MARK = "CHAOS_CLUSTER"  # in the environment of processes that outlive the runs
TARGETS = {"flow": 7, "worker": 10, "server": 3}  # how often each is hit
TARGETS_ELSEWHERE = {"flow": 6, "worker": 8, "server": 2, "scheduler": 3, "objects": 3, "network": 3}
SOON = 40.0  # seconds after which a run that was to be killed at a random instant is left to a later kill


@dataclass(frozen=True)
class Kill:
    """One kill to come.

    Attributes:
        target: "flow", "worker", "server" (Prefect's), "scheduler", "objects" (their server), or "network" (of a
            machine), which is cut.
        number: The signal.
        seconds: After the flow's first checkpoint or result appeared, or None.
        rename: Before or after which rename of the run, or None.
    """

    target: str
    number: signal.Signals
    seconds: float | None
    rename: tuple[str, int] | None

    @property
    def name(self) -> str:
        """For the table."""
        when = "at a random instant" if self.rename is None else f"just {self.rename[0]} a rename"
        how = {"objects": "stopped for a while", "network": "cut for a while"}.get(self.target, self.number.name)
        return f"{self.target}, {how}, {when}"


class Cluster(Protocol):
    """Where a run trains, if not in processes of its own."""

    def runs(self) -> Runs:
        """Where runs that train there are to begin anew."""

    def strike(self, kill: Kill, chance: random.Random) -> bool:
        """Kills one of its processes, if there is one, or does what else the kill says."""

    def is_idle(self) -> bool:
        """Whether its workers left all work, once nobody waits for it."""


def choose_kill(chance: random.Random, renames: int, cluster: Cluster | None) -> Kill:
    """Draws target, signal and instant."""
    targets = TARGETS_ELSEWHERE if cluster else TARGETS
    target = chance.choices(list(targets), list(targets.values()))[0]
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT] if target == "flow" else [signal.SIGKILL]
    number = chance.choice(signals)
    if not cluster and target != "server" and number == signal.SIGKILL and chance.random() < 0.5:
        return Kill(target, number, None, (chance.choice(["before", "after"]), chance.randint(1, max(renames // 4, 1))))
    return Kill(target, number, chance.uniform(0, 25), None)


class Runs:
    """The attempts at one result: what they share, and what they leave.

    Args:
        folder: Of the store, Prefect's home and the log.

    Attributes:
        root: The store's folder.
        options: Of the pipeline.
        environment: Likewise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "store"
        self.options = [f"--store={self.root}"]
        self.environment: dict[str, str] = {}

    def results(self) -> Iterator[tuple[str, bytes]]:
        """Yields name and content of each record."""
        for path in (self.root / "results").glob("*"):
            yield path.name, path.read_bytes()

    def bring(self) -> None:
        """Brings below the root what lies elsewhere: all but records and data."""


class Flow:
    """One attempt: the pipeline in a process group of its own, watched through hooks.

    Args:
        runs: Which it is one of.
        command: The pipeline.
        kill: What the hooks are to do, where it is at a rename.
    """

    def __init__(self, runs: Runs, command: list[str], kill: Kill | None) -> None:
        self.runs = runs
        self.folder = folder = runs.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "renames").write_bytes(b"")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))},
            "PREFECT_HOME": str(folder / "prefect"),
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}",
            "CHAOS_FOLDER": str(folder),
            **runs.environment,
        }
        if kill and kill.rename:
            environment["CHAOS_KILL"] = f"{kill.target} {kill.rename[0]} {kill.rename[1]}"
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *runs.options],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Flow:
        return self

    def __exit__(self, *details: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def processes(self) -> dict[int, str]:
        """All processes of the folder's runs, with their command lines: they inherited the environment."""
        found = {}
        mark = f"CHAOS_FOLDER={self.folder}".encode()
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != os.getpid():
                try:
                    names = (path / "environ").read_bytes().split(b"\0")
                    if mark in names and f"{CLUSTER_MARK}=1".encode() not in names:
                        found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
        return {pid: line for pid, line in found.items() if line}

    def victims(self, target: str) -> list[int]:
        """The processes that a kill may hit."""
        if target == "flow":
            return [self.process.pid]
        word = "spawn_main" if target == "worker" else "sqlite_server"
        return [pid for pid, line in self.processes().items() if word in line]


def strike(flow: Flow, kill: Kill, chance: random.Random, cluster: Cluster | None = None) -> bool:
    """Waits for the instant and sends the signal; the hooks do so themselves at a rename."""
    if kill.rename is not None:
        hit = flow.folder / "hit"
        wait_for(lambda: hit.exists() or flow.process.poll() is not None, 10 * SOON)
        struck = hit.exists()
        hit.unlink(missing_ok=True)
        return struck
    began = time.time()
    wait_for(lambda: flow.process.poll() is not None or newest(flow.runs.root) > began, 4 * SOON)
    wait_for(lambda: flow.process.poll() is not None, kill.seconds or 0)
    if cluster and kill.target not in ("flow", "server"):
        return flow.process.poll() is None and cluster.strike(kill, chance)
    victims = flow.victims(kill.target) if flow.process.poll() is None else []
    if not victims:
        return False
    os.kill(chance.choice(victims), kill.number)
    return True


def newest(store: Path) -> float:
    """When the store was last written to."""
    return max((path.stat().st_mtime for path in store.glob("*/*") if path.exists()), default=0.0)


def wait_for(condition: Any, seconds: float) -> bool:
    """Waits until a condition holds, and says whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
