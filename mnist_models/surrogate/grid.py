"""A search space as a grid of points: what a model of the scores can measure distances in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_models.surrogate.values import Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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

    def positions(self, values: Sequence[int | float | str]) -> Floats:
        """Where among its values some lie (n,), from 0; numbers that it does not have lie between two, or at an end."""
        if self.ordered:
            return np.interp(np.array(values, np.float64), np.array(self.values, np.float64), range(len(self.values)))
        return np.array([self.values.index(value) for value in values], np.float64)

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
        """Positions (n, hyperparameters) of combinations."""
        columns = [one.positions([values[one.name] for values in combinations]) for one in self.dimensions]
        return np.stack(columns, axis=1)

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

    def spread(self, count: int, generator: np.random.Generator) -> Floats:
        """Positions of so many different combinations, or of all, that cover every hyperparameter's values evenly.

        A scrambled Sobol sequence (Owen 1998) put on the grid.
        """
        from scipy.stats import qmc  # takes most of a second to import

        points = qmc.Sobol(len(self.shape), rng=generator).random(1 << (4 * count).bit_length())
        rows = np.concatenate([np.floor(points * self.shape), generator.permutation(self.some(4 * count, generator))])
        return rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])[:count]]

    def without(self, taken: Floats, positions: Floats) -> Floats:
        """The positions that are not among the taken ones."""
        known = set(map(tuple, taken.tolist()))
        return positions[[tuple(row) not in known for row in positions.tolist()]]

    def neighbours(self, positions: Floats) -> Floats:
        """Positions of all combinations that differ from one of these in one value."""
        rows = []
        for column, count in enumerate(self.shape):
            changed = np.repeat(positions, count, axis=0)
            changed[:, column] = np.tile(np.arange(count), len(positions))
            rows.append(changed)
        return np.concatenate(rows)


def _in_order(values: Sequence[int | float | str]) -> tuple[int | float | str, ...]:
    known = [round(value, 10) if isinstance(value, float) else value for value in values]
    return tuple(known) if isinstance(known[0], str) else tuple(sorted(set(known)))
