"""Kills the quick profile again and again, and checks that it ends as if it had never been touched.

    python -m benchmarks.durability.chaos --kills 50 --seed 1 [--cluster]

An untouched run gives the reference. Then the same command runs on a new store under random kills: of the flow, of a
worker, of Prefect's server; by SIGKILL, SIGTERM or SIGINT; at random instants, or just before or just after the n-th
rename of a file in the store. Whenever the flow ends, the same command is run again. The table at the end compares the
two and counts what was lost. The exit status is 1 where a promise was broken.

With `--cluster` the untouched run trains in processes of its own and keeps its results in a folder. The others train on
a Dask cluster whose workers have networks and folders of their own, and keep their results on a server of S3. Workers
and scheduler are killed, too; the server of S3 is stopped for 20 seconds, and a worker's network is cut for 30.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.chaos_cluster import TorturedCluster
from benchmarks.durability.chaos_kills import ROOT, Cluster, Flow, Kill, Runs, choose_kill, strike, wait_for
from benchmarks.durability.chaos_outcome import compare, completed, epochs_trained_twice

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
    busy_for_nobody: int = 0


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="number of kills (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="of their choice (default: 1)")
    parser.add_argument("--keep", type=Path, help="keep stores and logs in this folder")
    parser.add_argument("--cluster", action="store_true", help="train on a Dask cluster of this machine")
    parser.add_argument("options", nargs="*", help="further options of the pipeline, after --")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "flows" / "full_pipeline.py"), "--profile=quick", *arguments.options]
    cluster = TorturedCluster(folder / "killed", os.cpu_count() or 1) if arguments.cluster else None
    try:
        sys.exit(0 if torture(folder, command, arguments.kills, random.Random(arguments.seed), cluster) else 1)
    finally:
        if cluster:
            cluster.close()
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


def torture(folder: Path, command: list[str], kills: int, chance: random.Random, cluster: Cluster | None) -> bool:
    """Compares an untouched run with one under kills, and prints the table."""
    untouched, killed = Runs(folder / "untouched"), cluster.runs() if cluster else Runs(folder / "killed")
    say("the untouched run")
    with Flow(untouched, command, None) as flow:
        status = flow.process.wait()
    if status != 0:
        raise SystemExit(f"the untouched run failed with status {status}: see {untouched.folder}/log")
    renames = len((untouched.folder / "renames").read_text())
    tally = Tally()
    start = time.monotonic()
    while sum(tally.kills.values()) < kills:
        kill_once(killed, command, choose_kill(chance, renames, cluster), tally, chance, cluster)
        if (killed.root / "latest").exists():  # finished before the last kills: begin again, counting on
            if not same(untouched, killed):
                return report(tally, {"ended right": False}, start)
            empty(killed.folder)
            killed = cluster.runs() if cluster else killed
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
    if cluster:
        checks["no worker trained for nobody"] = tally.busy_for_nobody == 0
    checks["every clean stop took at most 10 s"] = tally.slowest_stop <= 10
    return report(tally, checks, start)


def kill_once(
    runs: Runs, command: list[str], kill: Kill, tally: Tally, chance: random.Random, cluster: Cluster | None
) -> None:
    """Runs one attempt and kills it, or a part of it."""
    before = completed(runs)
    tally.resumes += 1
    with Flow(runs, command, kill) as flow:
        struck = strike(flow, kill, chance, cluster)
        stopped_at = time.monotonic()
        if kill.target == "worker":  # the flow goes on without it, and loses another
            wait_for(lambda: flow.process.poll() is not None, chance.uniform(2, 8))
            again = Kill("worker", signal.SIGKILL, 0.0, None)
            tally.kills[again.name] += flow.process.poll() is None and strike(flow, again, chance, cluster)
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
    tally.busy_for_nobody += cluster is not None and not cluster.is_idle()
    after = completed(runs)
    tally.retrained += sum(after.get(name, mark) != mark for name, mark in before.items())
    lost = epochs_trained_twice(runs.folder)
    tally.epochs_lost += lost - tally.epochs_lost_here
    tally.epochs_lost_here = lost
    say(f"{sum(tally.kills.values())} kills: {kill.name}{'' if struck else ' (missed)'}; {len(after)} results")


def empty(folder: Path) -> None:
    """Removes what a folder holds, but not the folder: the hooks of processes that live longer write to it."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def same(untouched: Runs, killed: Runs) -> bool:
    """As `compare`, where a run ended before all kills were spent."""
    checks = compare(untouched, killed)
    say(f"finished under way: {'the same' if all(checks.values()) else checks}")
    return all(checks.values())


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
