"""Kills the quick profile again and again, and checks that it ends as if it had never been touched.

    python -m benchmarks.chaos --kills 50 --seed 1

An untouched run gives the reference. Then the same command runs on a new store under random kills: of the flow, of a
worker, of Prefect's server; by SIGKILL, SIGTERM or SIGINT; at random instants, or just before or just after the n-th
rename of a file in the store. Whenever the flow ends, the same command is run again. The table at the end compares the
two and counts what was lost. The exit status is 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HOOKS = Path(__file__).parent / "chaos_hooks"
SOON = 40.0  # seconds after which a run that was to be killed at a random instant is left to a later kill
LEFT_BEHIND = 30.0  # seconds that processes get to end after their flow was killed


@dataclass
class Tally:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    retrained: int = 0
    epochs_lost: int = 0
    epochs_lost_here: int = 0  # of them in the present store
    left_behind: int = 0
    slowest_stop: float = 0.0


@dataclass(frozen=True)
class Kill:
    """One kill to come.

    Attributes:
        target: "flow", "worker" or "server".
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
        return f"{self.target}, {self.number.name}, {when}"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="number of kills (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="of their choice (default: 1)")
    parser.add_argument("--keep", type=Path, help="keep stores and logs in this folder")
    parser.add_argument("options", nargs="*", help="further options of the pipeline, after --")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "flows" / "full_pipeline.py"), "--profile=quick", *arguments.options]
    try:
        sys.exit(0 if torture(folder, command, arguments.kills, random.Random(arguments.seed)) else 1)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


def torture(folder: Path, command: list[str], kills: int, chance: random.Random) -> bool:
    """Compares an untouched run with one under kills, and prints the table."""
    untouched, killed = folder / "untouched", folder / "killed"
    say("the untouched run")
    with Flow(untouched, command, None) as flow:
        status = flow.process.wait()
    if status != 0:
        raise SystemExit(f"the untouched run failed with status {status}: see {untouched}/log")
    renames = len((untouched / "renames").read_text())
    tally = Tally()
    start = time.monotonic()
    while sum(tally.kills.values()) < kills:
        kill_once(killed, command, choose_kill(chance, renames), tally, chance)
        if (killed / "store" / "latest").exists():  # finished before the last kills: begin again, counting on
            ends_right = same(untouched, killed, tally)
            if not ends_right:
                return report(tally, {"ended right": False}, start)
            shutil.rmtree(killed)
            tally.epochs_lost_here = 0
    say("the last resume")
    with Flow(killed, command, None) as flow:
        status = flow.process.wait()
    tally.resumes += 1
    checks = {"the last resume ended well": status == 0} | (compare(untouched, killed) if status == 0 else {})
    checks["no completed trial was trained again"] = tally.retrained == 0
    workers = os.cpu_count() or 1
    checks[f"at most {workers} epochs lost per kill (one per worker)"] = tally.epochs_lost <= workers * kills
    checks["no process was left behind"] = tally.left_behind == 0
    checks["every clean stop took at most 10 s"] = tally.slowest_stop <= 10
    return report(tally, checks, start)


def choose_kill(chance: random.Random, renames: int) -> Kill:
    """Draws target, signal and instant."""
    target = chance.choices(["flow", "worker", "server"], [7, 10, 3])[0]
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT] if target == "flow" else [signal.SIGKILL]
    number = chance.choice(signals)
    if target != "server" and number == signal.SIGKILL and chance.random() < 0.5:
        return Kill(target, number, None, (chance.choice(["before", "after"]), chance.randint(1, max(renames // 4, 1))))
    return Kill(target, number, chance.uniform(0, 25), None)


class Flow:
    """One attempt: the pipeline in a process group of its own, watched through hooks.

    Args:
        folder: Of the store, Prefect's home and the log.
        command: The pipeline.
        kill: What the hooks are to do, where it is at a rename.
    """

    def __init__(self, folder: Path, command: list[str], kill: Kill | None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "renames").write_bytes(b"")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))},
            "PREFECT_HOME": str(folder / "prefect"),
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}",
            "CHAOS_FOLDER": str(folder),
        }
        if kill and kill.rename:
            environment["CHAOS_KILL"] = f"{kill.target} {kill.rename[0]} {kill.rename[1]}"
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--store", str(folder / "store")],
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
                    if mark in (path / "environ").read_bytes().split(b"\0"):
                        found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
        return {pid: line for pid, line in found.items() if line}

    def victims(self, target: str) -> list[int]:
        """The processes that a kill may hit."""
        if target == "flow":
            return [self.process.pid]
        word = "spawn_main" if target == "worker" else "temporary_server"
        return [pid for pid, line in self.processes().items() if word in line]


def kill_once(folder: Path, command: list[str], kill: Kill, tally: Tally, chance: random.Random) -> None:
    """Runs one attempt and kills it, or a part of it."""
    before = completed(folder)
    tally.resumes += 1
    with Flow(folder, command, kill) as flow:
        struck = strike(flow, kill, chance)
        stopped_at = time.monotonic()
        if kill.target == "worker":  # the flow goes on without it, and loses another
            wait_for(lambda: flow.process.poll() is not None, chance.uniform(2, 8))
            again = Kill("worker", signal.SIGKILL, 0.0, None)
            tally.kills[again.name] += flow.process.poll() is None and strike(flow, again, chance)
        if kill.target != "flow":
            wait_for(lambda: flow.process.poll() is not None, chance.uniform(2, 12))
        else:
            wait_for(lambda: flow.process.poll() is not None, LEFT_BEHIND)
        if kill.target != "flow" and flow.process.poll() is None:  # a kill of its own, which ends the attempt
            flow.process.kill()
            tally.kills[Kill("flow", signal.SIGKILL, 0.0, None).name] += 1
        if struck:
            tally.kills[kill.name] += 1
            if kill.target == "flow" and kill.number != signal.SIGKILL:
                tally.slowest_stop = max(tally.slowest_stop, time.monotonic() - stopped_at)
    if not wait_for(lambda: not flow.processes(), LEFT_BEHIND):
        tally.left_behind += len(flow.processes())
        say(f"left behind: {flow.processes()}")
        for pid in flow.processes():
            os.kill(pid, signal.SIGKILL)
    after = completed(folder)
    tally.retrained += sum(after.get(name, mark) != mark for name, mark in before.items())
    lost = epochs_trained_twice(folder)
    tally.epochs_lost += lost - tally.epochs_lost_here
    tally.epochs_lost_here = lost
    say(f"{sum(tally.kills.values())} kills: {kill.name}{'' if struck else ' (missed)'}; {len(after)} results")


def strike(flow: Flow, kill: Kill, chance: random.Random) -> bool:
    """Waits for the instant and sends the signal; the hooks do so themselves at a rename."""
    if kill.rename is not None:
        hit = flow.folder / "hit"
        wait_for(lambda: hit.exists() or flow.process.poll() is not None, 10 * SOON)
        struck = hit.exists()
        hit.unlink(missing_ok=True)
        return struck
    began = time.time()
    results = flow.folder / "store"
    wait_for(lambda: flow.process.poll() is not None or newest(results) > began, 4 * SOON)
    wait_for(lambda: flow.process.poll() is not None, kill.seconds or 0)
    victims = flow.victims(kill.target) if flow.process.poll() is None else []
    if not victims:
        return False
    os.kill(chance.choice(victims), kill.number)
    return True


def newest(store: Path) -> float:
    """When the store was last written to."""
    return max((path.stat().st_mtime for path in store.glob("*/*") if path.exists()), default=0.0)


def completed(folder: Path) -> dict[str, str]:
    """The results in the store that are whole, each with what tells it from a later one."""
    found = {}
    for path in (folder / "store" / "results").glob("*"):
        try:
            content = path.read_bytes()
            seconds = json.loads(json.loads(content)["result"])["data"].get("seconds")
        except (ValueError, KeyError, TypeError, FileNotFoundError):
            continue
        found[path.name] = f"{hashlib.sha256(content).hexdigest()} {seconds}"
    return found


def epochs_trained_twice(folder: Path) -> int:
    """From the hooks' notes: begun epochs of a training beyond the first of each."""
    notes = Counter((folder / "epochs").read_text().splitlines()) if (folder / "epochs").exists() else Counter[str]()
    return sum(count - 1 for count in notes.values())


def compare(untouched: Path, killed: Path) -> dict[str, bool]:
    """Whether both ended in the same figures, weights and trials."""
    return {
        "metrics.json is the same, times aside": timeless(untouched) == timeless(killed),
        "trial tables are the same, times aside": trials(untouched) == trials(killed),
        "weights are the same to the bit": weights(untouched) == weights(killed),
        "no checkpoint is left": not list((killed / "store" / "checkpoints").rglob("*.npz")),
        "no temporary file is left": not list((killed / "store").rglob("*.tmp")),
    }


def same(untouched: Path, killed: Path, tally: Tally) -> bool:
    """As `compare`, where a run ended before all kills were spent."""
    checks = compare(untouched, killed)
    say(f"finished under way: {'the same' if all(checks.values()) else checks}")
    return all(checks.values())


def timeless(folder: Path) -> Any:
    """`metrics.json` without times and without what came from the cache."""
    content = json.loads((folder / "store" / "latest" / "metrics.json").read_text())
    content.pop("seconds")
    for stage in content["stages"]:
        stage.pop("seconds")
        stage.pop("cached")
    return content


def trials(folder: Path) -> Any:
    """The trial tables without their times."""
    tables = {}
    for path in sorted((folder / "store" / "latest" / "trials").glob("*.csv")):
        with path.open(newline="") as file:
            tables[path.name] = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    return tables


def weights(folder: Path) -> dict[str, str]:
    """Digests of all models' weights."""
    found = (folder / "store" / "weights").glob("*.npz")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def wait_for(condition: Any, seconds: float) -> bool:
    """Waits until a condition holds, and says whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stdout.flush()


def report(tally: Tally, checks: dict[str, bool], start: float) -> bool:
    """Prints the table."""
    kills = sum(tally.kills.values())
    lines = ["", "| kills | n |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in sorted(tally.kills.items())]
    lines += [f"| **all** | **{kills}** |", "", "| figure | value |", "|---|---|"]
    lines += [
        f"| attempts | {tally.resumes} |",
        f"| completed trials and models trained again | {tally.retrained} |",
        f"| epochs begun more than once, per kill | {tally.epochs_lost / max(kills, 1):.2f} |",
        f"| processes left behind after {LEFT_BEHIND:.0f} s | {tally.left_behind} |",
        f"| slowest clean stop | {tally.slowest_stop:.1f} s |",
        f"| time | {(time.monotonic() - start) / 60:.0f} min |",
        "",
        "| promise | kept |",
        "|---|---|",
        *(f"| {name} | {'yes' if kept else '**no**'} |" for name, kept in checks.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return all(checks.values())


if __name__ == "__main__":
    main()
