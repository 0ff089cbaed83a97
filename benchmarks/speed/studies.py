"""Studies as processes, taken by turns: what the benchmarks of searches have in common."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison import Figure, arguments

ROOT = Path(__file__).parents[2]
FULLY_CONNECTED, CNN = "fully connected, 5 epochs", "CNN, 1 epoch"
STUDIES = {FULLY_CONNECTED: ("fully_connected_hyperband", 5, 36), CNN: ("cnn_bayesian", 1, 12)}  # space, epochs, trials


@dataclass
class Side:
    """One side of a ratio: a study by a module of this package, with some options, and what it took each time."""

    name: str
    options: tuple[str, ...] = ()
    module: str = "speed.one_study"
    rates: list[float] = field(default_factory=list)
    gigabytes: list[float] = field(default_factory=list)

    def measure(self, kind: str, seed: int, options: argparse.Namespace) -> None:
        """Runs the study once in a new process, and notes trials an hour and peak memory."""
        space, epochs, usual = STUDIES[kind]
        trials = 2 if options.quick else options.trials or usual
        limits = [f"--trials={trials}", f"--epochs={epochs}", f"--seed={seed}"] + ["--images=600"] * options.quick
        figures = run_study_process(self.module, space, *self.options, *limits)
        self.rates.append(3600 * trials / figures["seconds"])
        self.gigabytes.append(figures["peak_bytes"] / 1e9)


def run_study_process(module: str, space: str, *options: str) -> dict[str, float]:
    """Runs a study in a new process and returns the figures that it prints.

    Raises:
        RuntimeError: If it fails, with the end of what it said.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", space, *options]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def study_arguments(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options of both benchmarks."""
    parser = arguments(description)
    parser.add_argument("--trials", type=int, help="of each study (default: 36 fully connected, 12 CNN)")
    parser.add_argument("--repetitions", type=int, default=2, help="studies of each side (default: 2)")
    return parser


def trial_arguments(description: str | None, spaces: Iterable[str]) -> argparse.ArgumentParser:
    """Returns a parser with what both sides of a study are told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", choices=spaces, help="the search space")
    parser.add_argument("--trials", type=int, default=6, help="random trials (default: 6)")
    parser.add_argument("--epochs", type=int, default=1, help="of each trial, at most (default: 1)")
    parser.add_argument("--images", type=int, help="train and validate on so many; 60,000 if not given")
    parser.add_argument("--seed", type=int, default=1, help="of the proposals, and of our trainings (default: 1)")
    parser.add_argument("--batch-size", type=int, help="images per step; the side's own if not given")
    return parser


def take_turns(kind: str, sides: tuple[Side, ...], options: argparse.Namespace) -> list[Figure]:
    """Runs a study on each side in turn, as often as the options say; returns each side's trials an hour."""
    for seed in range(1, 2 if options.quick else options.repetitions + 1):
        for side in sides:
            side.measure(kind, seed, options)
    return [Figure(f"{kind}: {side.name}", "trials/h", side.rates) for side in sides]


def clean_environment() -> dict[str, str]:
    """The environment without this project's variables and Prefect's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}


def peak_memory(process: int) -> int:
    """Peak resident memory of a process in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"process {process} says nothing of its memory")
