"""The default run, `python flows/full_pipeline.py`, from a cold start; and what the original's budgets would take.

    python -m benchmarks.default_run [--quick] [--json FILE]

Ours: the command as a process on an empty store, `--repetitions` times with other seeds: interpreter, imports, server
start, all stages, report. Peer: not run, but extrapolated from `Tuner.search`'s trials an hour, measured in the same
call on a sample (`benchmarks.one_study`): Hyperband's 254 trials with `max_epochs` 150 and `factor` 3, by their epochs,
200 trials of the architecture and 100 of the augmentation by one epoch each, as the original trained them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from benchmarks.studies import ROOT, SPACES, Side

MINUTES = 10.0
ORIGINAL_CNN_EPOCHS = 200 + 100  # trials of one epoch


def run_pipeline(seed: int, profile: str) -> tuple[float, dict[str, Any]]:
    """Runs the command on an empty store; returns minutes and the run's figures."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
    with tempfile.TemporaryDirectory(prefix="default-run-") as folder:
        environment["PREFECT_HOME"] = f"{folder}/prefect"
        options = [f"--profile={profile}", f"--store={folder}/store", f"--seed={seed}"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "flows/full_pipeline.py", *options],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        minutes = (time.perf_counter() - start) / 60
        return minutes, json.loads((Path(folder) / "store/latest/metrics.json").read_text())


def hyperband_epochs(max_epochs: int = 150, factor: int = 3) -> int:
    """Epochs that KerasTuner's Hyperband trains in all, promoted trials going on where they stopped."""
    from keras_tuner.oracles import HyperbandOracle

    oracle = HyperbandOracle(objective="val_loss", max_epochs=max_epochs, factor=factor)
    epochs = 0
    for bracket in range(oracle._get_num_brackets()):
        for number in range(oracle._get_num_rounds(bracket)):
            before = oracle._get_epochs(bracket, number - 1) if number else 0
            epochs += oracle._get_size(bracket, number) * (oracle._get_epochs(bracket, number) - before)
    return epochs


def original_hours(trials: int, quick: bool) -> tuple[float, float]:
    """Hours of the original's two kinds of search by `Tuner.search`, extrapolated from a sample."""
    hours = []
    for (kind, (_, epochs)), total in zip(SPACES.items(), (hyperband_epochs(), ORIGINAL_CNN_EPOCHS), strict=True):
        peer = Side("Tuner.search", ("--peer",))
        peer.measure(kind, trials, 1, quick)
        hours.append(total / (peer.rates[0] * epochs))
    return hours[0], hours[1]


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    profile = "quick" if options.quick else "standard"
    runs = [run_pipeline(seed, profile) for seed in range(1, 2 if options.quick else options.repetitions + 1)]
    searches = original_hours(1 if options.quick else 6, options.quick)
    minutes = [duration for duration, _ in runs]
    final = [figures["final"] for _, figures in runs]
    figures = [
        Figure(f"{profile}, cold", "min", minutes),
        Figure("ensemble: test accuracy", "%", [100 * one["ensemble"]["test_accuracy"] for one in final]),
        Figure("members: test accuracy", "%", [100 * m["test_accuracy"] for one in final for m in one["members"]]),
        Figure("the original's searches by Tuner.search, extrapolated", "h", [sum(searches)]),
    ]
    claims: list[Ratio] = [at_most(f"{profile}, cold, min", figures[0].median, MINUTES)]
    report("The default run", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--repetitions", type=int, default=1, help="runs, each with another seed (default: 1)")
    main(parser.parse_args())
