"""The profile "full", whole, against the original's searches with `Tuner.search`, sampled and extrapolated.

    python -m benchmarks.full_run [--quick] [--json FILE] [--keep FOLDER]

Ours: `python flows/full_pipeline.py --profile full` as a process on an empty store, from a cold start to the report,
with every baseline, every winner trained anew and the final stage. It takes more than an hour; with `--keep` its store
stays in the folder, and a run that ended there is not repeated.

The other side: the five searches only, by `benchmarks.tuner_search`, as many epochs a trial as the original trained (in
its Bayesian searches one, because it never said how many). Of each search a sample of random trials is timed, and
extrapolated to all by their number, Hyperband by its epochs. That leaves out what only grows with the whole: a Bayesian
proposal after 200 trials takes seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_least, report
from benchmarks.default_run import run_pipeline
from benchmarks.studies import run_study_process
from mnist_models.study import OracleSpec
from tasks.workers import quiet_import

TIMES_AS_FAST = 4.0


@dataclass(frozen=True)
class Search:
    """One of the original's searches.

    Attributes:
        name: What it searches.
        stage: Of the pipeline, and of its space.
        epochs: Of a trial of the sample, at most.
        sample: Random trials to time.
        trials: So many such trials are the whole search.
    """

    name: str
    stage: str
    epochs: int
    sample: int
    trials: float

    def hours(self, quick: bool) -> float:
        """Times the sample and extrapolates."""
        sample = 1 if quick else self.sample
        limits = [f"--trials={sample}", f"--epochs={1 if quick else self.epochs}"] + ["--images=600"] * quick
        seconds = run_study_process("tuner_search", self.stage, *limits)["seconds"]
        return seconds / sample * self.trials / 3600


def original_searches() -> tuple[Search, ...]:
    """The original's five searches."""
    return (
        Search("grid of 90, early stopping", "fully_connected_grid", 100, sample=9, trials=90),
        Search("Hyperband, 254 trials", "fully_connected_hyperband", 5, sample=12, trials=hyperband_epochs() / 5),
        Search("architecture, 200 trials of one epoch", "cnn_bayesian", 1, sample=8, trials=200),
        Search("augmentation, 100 trials of one epoch", "cnn_augmentation", 1, sample=6, trials=100),
        Search("8 learning rates, early stopping", "cnn_learning_rate", 100, sample=2, trials=8),
    )


def hyperband_epochs() -> int:
    """Epochs that the original's Hyperband trains in all, promoted trials going on where they stopped."""
    with quiet_import():
        from mnist_models.oracle import expected_costs, search_space

    hyperband = OracleSpec(kind="hyperband", seed=1, window=1, max_epochs=150, factor=3)
    return sum(expected_costs(hyperband, search_space("fully_connected_hyperband")))


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
