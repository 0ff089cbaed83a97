"""What a search had seen of a combination, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mnist_models.data.dataset import DatasetReference
from mnist_models.surrogate.values import Values


@dataclass(frozen=True)
class Finding:
    """The end of a training.

    Attributes:
        seconds: Since the search began.
        val_loss: Its score, in nats.
        values: The combination.
    """

    seconds: float
    val_loss: float
    values: Values


@dataclass(frozen=True)
class Task:
    """What every side is told.

    Attributes:
        space: Name of the search space, and of the stage that searches it.
        dataset: To train and validate on.
        root: Of the store that holds it.
        seconds: To search for; what ends later does not count.
        seed: Of proposals and trainings.
    """

    space: str
    dataset: DatasetReference
    root: Path
    seconds: float
    seed: int


Search = Callable[[Task], Iterable[Finding]]


def improvements(findings: Iterable[Finding]) -> list[Finding]:
    """Those that had a lower score than all before them, in the order of time: what a search would have answered."""
    found: list[Finding] = []
    for finding in sorted(findings, key=lambda one: one.seconds):
        if not found or finding.val_loss < found[-1].val_loss:
            found.append(finding)
    return found
