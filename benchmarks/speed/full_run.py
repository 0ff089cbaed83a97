"""The profile "full", whole, against the original's searches with `Tuner.search`, sampled and extrapolated.

    python -m benchmarks.speed.full_run [--quick] [--json FILE] [--keep FOLDER]

Ours: `python flows/full_pipeline.py --profile full` as a process on an empty store, from a cold start to the report,
with every baseline, every winner trained anew and the final stage. It takes forty minutes or more; with `--keep` its
store stays in the folder, and a run that ended there is not repeated.

The other side: the five searches only, by `benchmarks.peers.tuner_search`, as many epochs a trial as the original
trained (in its Bayesian searches one, because it never said how many). Of each search a sample of random trials is
timed, and extrapolated to all by their number, Hyperband by its epochs. That leaves out what only grows with the whole:
a Bayesian proposal after 200 trials takes seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_least, report
from benchmarks.peers.original_searches import original_searches
from benchmarks.speed.default_run import run_pipeline

TIMES_AS_FAST = 4.0


def run_once(folder: Path, profile: str) -> dict[str, Any]:
    """Runs the pipeline in a folder unless a run ended there; returns its figures, with its time in minutes.

    Raises:
        FileExistsError: If the folder holds something else, a run that was interrupted perhaps: the rest of it would
            take less than the whole.
    """
    kept = folder / "run.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"Expected an empty folder, or one with a run that ended. Received: {folder}")
        minutes, figures = run_pipeline(1, profile, folder)
        kept.write_text(json.dumps({"minutes": minutes, **figures}, indent=2) + "\n")
    run: dict[str, Any] = json.loads(kept.read_text())
    return run


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    profile = "quick" if options.quick else "full"
    with tempfile.TemporaryDirectory(prefix="full-run-") as temporary:
        run = run_once((options.keep or Path(temporary)).absolute(), profile)
    seconds = {stage["name"]: stage["seconds"] for stage in run["stages"]}
    figures, peer_hours = [], 0.0
    for search in original_searches():
        hours = search.hours(options.quick)
        peer_hours += hours
        figures += [
            Figure(f"{search.name}: Tuner.search, extrapolated", "h", [hours]),
            Figure(f"{search.name}: ours with its winner, time of workers", "h", [seconds[search.stage] / 3600]),
        ]
    figures += [
        Figure("the searches: Tuner.search, extrapolated", "h", [peer_hours]),
        Figure(f"{profile}, whole and cold", "h", [run["minutes"] / 60]),
        Figure("ensemble: test accuracy", "%", [100 * run["final"]["ensemble"]["test_accuracy"]]),
        Figure("members: test accuracy", "%", [100 * member["test_accuracy"] for member in run["final"]["members"]]),
    ]
    claims: list[Ratio] = [
        at_least(f"the original's searches by Tuner.search / {profile}", peer_hours, run["minutes"] / 60, TIMES_AS_FAST)
    ]
    report("The full run", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the store here, or take a run from here")
    main(parser.parse_args())
