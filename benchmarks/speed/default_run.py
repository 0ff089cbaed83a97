"""The default run, `python flows/full_pipeline.py`, from a cold start.

    python -m benchmarks.speed.default_run [--quick] [--json FILE]

The command as a process on an empty store, `--repetitions` times with other seeds: interpreter, imports, server start,
all stages, report. The other side: the original's five searches by `Tuner.search`, a sample of each timed and
extrapolated; their budgets are larger than those of "standard". Those of "full" are in `benchmarks.speed.full_run`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from benchmarks.peers.original_searches import original_searches
from benchmarks.speed.studies import ROOT, clean_environment

MINUTES = 10.0


def run_pipeline(seed: int, profile: str, folder: Path) -> tuple[float, dict[str, Any]]:
    """Runs the command on an empty store; returns minutes and the run's figures."""
    environment = clean_environment() | {"PREFECT_HOME": f"{folder}/prefect-{seed}"}
    store = folder / f"store-{seed}"
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "flows/full_pipeline.py", f"--profile={profile}", f"--store={store}", f"--seed={seed}"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    minutes = (time.perf_counter() - start) / 60
    return minutes, json.loads((store / "latest/metrics.json").read_text())


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    profile = "quick" if options.quick else "standard"
    with tempfile.TemporaryDirectory(prefix="default-run-") as temporary:
        folder = (options.keep or Path(temporary)).absolute()
        seeds = range(1, 2 if options.quick else options.repetitions + 1)
        runs = [run_pipeline(seed, profile, folder) for seed in seeds]
    minutes = [duration for duration, _ in runs]
    final = [figures["final"] for _, figures in runs]
    figures = [
        Figure(f"{profile}, cold", "min", minutes),
        Figure("ensemble: test accuracy", "%", [100 * one["ensemble"]["test_accuracy"] for one in final]),
        Figure("members: test accuracy", "%", [100 * m["test_accuracy"] for one in final for m in one["members"]]),
    ]
    peer = 60 * sum(search.hours(options.quick) for search in original_searches())
    figures.append(Figure("the original's searches: Tuner.search, extrapolated", "min", [peer]))
    claims: list[Ratio] = [
        at_most(f"{profile}, cold, min", figures[0].median, MINUTES),
        Ratio(f"the original's searches by Tuner.search / {profile}", peer / figures[0].median),
    ]
    report("The default run", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--repetitions", type=int, default=1, help="runs, each with another seed (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the stores here, and Prefect's database")
    main(parser.parse_args())
