"""What the original's searches take with `Tuner.search`, extrapolated from a timed sample of each."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.studies import run_study_process
from mnist_models.search import costs


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
        seconds = run_study_process("peers.tuner_search", self.stage, *limits)["seconds"]
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
    return sum(costs.hyperband_epochs(150, 3))
