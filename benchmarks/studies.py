"""Studies as processes, taken by turns: what `trials_per_hour` and `worker_scaling` have in common."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison import Figure, arguments

ROOT = Path(__file__).parent.parent
FULLY_CONNECTED, CNN = "fully connected, 5 epochs", "CNN, 1 epoch"
STUDIES = {FULLY_CONNECTED: ("fully_connected_hyperband", 5, 36), CNN: ("cnn_bayesian", 1, 12)}  # space, epochs, trials


@dataclass
class Side:
    """One side of a ratio: a study with some options of `benchmarks.one_study`, and what it took each time."""

    name: str
    options: tuple[str, ...]
    rates: list[float] = field(default_factory=list)
    gigabytes: list[float] = field(default_factory=list)

    def measure(self, kind: str, seed: int, options: argparse.Namespace) -> None:
        """Runs the study once in a new process, and notes trials an hour and peak memory."""
        space, epochs, usual = STUDIES[kind]
        trials = 2 if options.quick else options.trials or usual
        command = [sys.executable, "-m", "benchmarks.one_study", space, *self.options, f"--trials={trials}"]
        command += [f"--epochs={epochs}", f"--seed={seed}"] + (["--images=600"] if options.quick else [])
        done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        self.rates.append(3600 * trials / figures["seconds"])
        self.gigabytes.append(figures["peak_bytes"] / 1e9)


def study_arguments(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options of both benchmarks."""
    parser = arguments(description)
    parser.add_argument("--trials", type=int, help="of each study (default: 36 fully connected, 12 CNN)")
    parser.add_argument("--repetitions", type=int, default=2, help="studies of each side (default: 2)")
    return parser


def take_turns(kind: str, sides: tuple[Side, ...], options: argparse.Namespace) -> list[Figure]:
    """Runs a study on each side in turn, as often as the options say; returns each side's trials an hour."""
    for seed in range(1, 2 if options.quick else options.repetitions + 1):
        for side in sides:
            side.measure(kind, seed, options)
    return [Figure(f"{kind}: {side.name}", "trials/h", side.rates) for side in sides]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
