"""A search space as a grid of points: what a model of the scores can measure distances in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_models.search.study import Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter and its values, in order where they have one.

    Attributes:
        name: Of the hyperparameter.
        values: All that the space allows: numbers ascending, names as declared.
    """

    name: str
    values: tuple[int | float | str, ...]

    @property
    def ordered(self) -> bool:
        """Whether the values are numbers."""
        return not isinstance(self.values[0], str)

    @property
    def columns(self) -> int:
        """Coordinates a value takes: one for numbers and for either-or, else one for each name."""
        return 1 if self.ordered or len(self.values) < 3 else len(self.values)

    def position(self, value: int | float | str) -> float:
        """Where among the values one lies, from 0: between two where the space does not have it."""
        if self.ordered:
            return float(np.interp(float(value), [float(known) for known in self.values], range(len(self.values))))
        return float(self.values.index(value))

    def coordinates(self, positions: Floats) -> Floats:
        """Coordinates (n, columns) of positions (n,): neighbours in order lie close, names all 1 apart."""
        if self.columns == 1:
            return positions[:, None] / max(1, len(self.values) - 1)
        return np.asarray(np.eye(self.columns)[positions.astype(int)] / math.sqrt(2))


class Grid:
    """All combinations of a search space. A combination is a row of positions, one for each hyperparameter.

    Numbers count by their rank among the values, so that 1e-4, 1e-3 and 1e-2 lie evenly.

    Args:
        space: Of `Choice`, `Int`, `Boolean`, `Fixed`, and `Float` with a step.
    """

    def __init__(self, space: HyperParameters) -> None:
        self.dimensions = [Dimension(entry.name, _in_order(entry.values)) for entry in space.space]
        self.shape = tuple(len(dimension.values) for dimension in self.dimensions)
        self.size = math.prod(self.shape)
        self.owner = np.repeat(np.arange(len(self.shape)), [one.columns for one in self.dimensions])

    def positions(self, combinations: Sequence[Values]) -> Floats:
        """Positions (n, hyperparameters); numbers beyond the space's count as its nearest."""
        rows = [[one.position(values[one.name]) for one in self.dimensions] for values in combinations]
        return np.array(rows, np.float64).reshape(len(rows), len(self.shape))

    def coordinates(self, positions: Floats) -> Floats:
        """Coordinates (n, columns) of positions (n, hyperparameters); column i is of hyperparameter `owner[i]`."""
        parts = [one.coordinates(column) for one, column in zip(self.dimensions, positions.T, strict=True)]
        return np.concatenate(parts, axis=1)

    def values(self, position: Floats) -> Values:
        """The combination at a row of positions."""
        return {one.name: one.values[int(at)] for one, at in zip(self.dimensions, position, strict=True)}

    def some(self, count: int, generator: np.random.Generator) -> Floats:
        """Positions of so many random combinations, some of them perhaps equal; of all where there are not as many."""
        if self.size <= count:
            return np.array(list(itertools.product(*map(range, self.shape))), np.float64)
        return generator.integers(0, self.shape, (count, len(self.shape))).astype(np.float64)

    def neighbours(self, positions: Floats) -> Floats:
        """Positions of all combinations that differ from one of these, which the space has, in one value."""
        rows = []
        for column, count in enumerate(self.shape):
            changed = np.repeat(positions, count, axis=0)
            changed[:, column] = np.tile(np.arange(count), len(positions))
            rows.append(changed)
        return np.concatenate(rows)


def _in_order(values: Sequence[int | float | str]) -> tuple[int | float | str, ...]:
    known = [round(value, 10) if isinstance(value, float) else value for value in values]
    return tuple(known) if isinstance(known[0], str) else tuple(sorted(set(known)))
