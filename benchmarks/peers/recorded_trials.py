"""Trials that were trained once and recorded, the original project's and ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from keras_tuner import HyperParameters

from mnist_models.surrogate.proposals import Observation


@dataclass(frozen=True)
class Record:
    """Trials that were trained once.

    Attributes:
        name: Of the search.
        space: All values that occur.
        epochs: Of each rung.
        trials: Their losses after each rung's epochs.
    """

    name: str
    space: HyperParameters
    epochs: tuple[int, ...]
    trials: tuple[Observation, ...]

    def at(self, rung: int) -> list[Observation]:
        """The trials of one rung, as if it were the only one."""
        return [Observation(one.values, 0, one.score) for one in self.trials if one.rung == rung]


def read_record(path: Path) -> Record:
    """Reads a file of trials: a column a hyperparameter, then `epochs` and `val_loss`."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("epochs", "val_loss")]
    values = [{name: _value(row[name]) for name in names} for row in rows]
    space = HyperParameters()
    for name in names:
        space.Choice(name, sorted({one[name] for one in values}))
    epochs = sorted({int(row["epochs"]) for row in rows})
    trials = tuple(
        Observation(one, epochs.index(int(row["epochs"])), float(row["val_loss"]))
        for one, row in zip(values, rows, strict=True)
    )
    return Record(path.stem.replace("_", " "), space, tuple(epochs), trials)


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def whole(record: Record) -> list[Observation]:
    """The trials of the last of the rungs that have most."""
    return max((record.at(rung) for rung in reversed(range(len(record.epochs)))), key=len)


def shuffled(trials: list[Observation], *seed: int) -> list[Observation]:
    """The trials in a random order."""
    return [trials[index] for index in np.random.default_rng(seed).permutation(len(trials))]
