"""What other searches propose from, for the same observations: KerasTuner's process, SMAC's forest, BOHB's densities.

Each is a function of a grid, observations of one rung and nothing else; what comes back predicts the logarithm of the
scores of combinations, and says which it would propose first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from scipy.special import logsumexp
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from mnist_models.surrogate import proposals as surrogate
from mnist_models.surrogate.grid import Floats, Grid
from mnist_models.surrogate.proposals import Observation, Surrogate, expected_improvement

KERASTUNER_BETA = 2.6  # deviations below the mean that its bound lies
KERASTUNER_BOUND = 1e-5  # least length that scikit-learn's optimiser may end at
TREES = 32
GOOD = 0.25  # share of the observations that the densities of the good are made of


class Model(Protocol):
    """A model fitted to observations."""

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats | None]:
        """Mean and standard deviation of the logarithm of scores; no deviation where there is only an order."""

    def appeal(self, positions: Floats) -> Floats:
        """What is proposed first has most."""


Fit = Callable[[Grid, Sequence[Observation]], Model]


class Ours:
    """The model of `mnist_models.surrogate.proposals`."""

    def __init__(self, grid: Grid, seen: Sequence[Observation], top_rung: int = 0) -> None:
        self.surrogate: Surrogate = surrogate.fit(grid, seen, top_rung)
        observed = grid.positions([one.values for one in seen])
        self.best = observed[[self.surrogate.predict(observed)[0].argmin()]]

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats]:
        """Of combinations at positions."""
        return self.surrogate.log_scores(positions)

    def appeal(self, positions: Floats) -> Floats:
        """Of combinations at positions."""
        return expected_improvement(*self.surrogate.above(positions, self.best), 0.0)


class Exploring(Ours):
    """The same, as it is proposed from: now and then at random."""

    def __init__(self, grid: Grid, seen: Sequence[Observation]) -> None:
        super().__init__(grid, seen)
        self.generator = np.random.default_rng([len(seen), round(1e6 * seen[0].score)])

    def appeal(self, positions: Floats) -> Floats:
        """Of combinations at positions."""
        at_random = self.generator.random() < surrogate.EXPLORE
        return self.generator.random(len(positions)) if at_random else super().appeal(positions)


class KerasTuner:
    """The process of `BayesianOptimizationOracle`, with its encoding and its settings (1.4.8).

    Args:
        grid: The space.
        seen: Observations.
        logarithms: Whether to fit the logarithms of the scores; KerasTuner fits the scores.
    """

    def __init__(self, grid: Grid, seen: Sequence[Observation], logarithms: bool = False) -> None:
        self.counts, self.logarithms = np.array(grid.shape), logarithms
        scores = np.array([one.score for one in seen])
        self.process = GaussianProcessRegressor(
            Matern(nu=2.5), n_restarts_optimizer=20, normalize_y=True, alpha=1e-4, random_state=1
        ).fit(self._places(grid.positions([one.values for one in seen])), np.log(scores) if logarithms else scores)

    @property
    def at_bound(self) -> bool:
        """Whether its length is so small that each combination is a stranger to every other."""
        return bool(self.process.kernel_.length_scale < 1.01 * KERASTUNER_BOUND)

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats]:
        """Of a normal density of scores, the normal density of the logarithm that touches it at its mean."""
        mean, deviation = self.process.predict(self._places(positions), return_std=True)
        if self.logarithms:
            return mean, deviation
        kept = np.maximum(mean, 1e-3)
        return np.log(kept), deviation / kept

    def appeal(self, positions: Floats) -> Floats:
        """Of combinations at positions."""
        mean, deviation = self.process.predict(self._places(positions), return_std=True)
        return np.asarray(KERASTUNER_BETA * deviation - mean)

    def _places(self, positions: Floats) -> Floats:
        return np.asarray((positions + 0.5) / self.counts)


class Forest:
    """A random forest of the logarithms, as of SMAC (Hutter et al. 2011); its trees' spread is its deviation."""

    def __init__(self, grid: Grid, seen: Sequence[Observation]) -> None:
        self.grid = grid
        observed = grid.positions([one.values for one in seen])
        scores = np.log([one.score for one in seen])
        self.forest = RandomForestRegressor(TREES, random_state=1).fit(grid.coordinates(observed), scores)
        self.least = self.log_scores(observed)[0].min()

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats]:
        """Of combinations at positions."""
        coordinates = self.grid.coordinates(positions)
        trees = np.array([tree.predict(coordinates) for tree in self.forest.estimators_])
        return trees.mean(0), np.maximum(trees.std(0), 0.02)

    def appeal(self, positions: Floats) -> Floats:
        """Of combinations at positions."""
        return expected_improvement(*self.log_scores(positions), self.least)


class Densities:
    """Densities of the good and of the others, as of BOHB (Falkner et al. 2018); what is proposed is likelier good."""

    def __init__(self, grid: Grid, seen: Sequence[Observation]) -> None:
        self.grid = grid
        observed = grid.positions([one.values for one in seen])
        order = np.argsort([one.score for one in seen], kind="stable")
        count = max(2, math.ceil(GOOD * len(order)))
        self.good, self.others = observed[order[:count]], observed[order[count:]]

    def log_scores(self, positions: Floats) -> tuple[Floats, None]:
        """Of combinations at positions."""
        return -self.appeal(positions), None

    def appeal(self, positions: Floats) -> Floats:
        """Of combinations at positions."""
        return np.asarray(self._density(self.good, positions) - self._density(self.others, positions))

    def _density(self, known: Floats, positions: Floats) -> Floats:
        """Logarithm of the mean of a kernel around each known combination."""
        width = len(known) ** (-1 / (4 + len(self.grid.shape)))
        near = np.zeros((len(positions), len(known)))
        for dimension, of, to in zip(self.grid.dimensions, known.T.astype(int), positions.T.astype(int), strict=True):
            values = len(dimension.values)
            if values > 1:
                near += np.log(_kernel(values, dimension.ordered, width, float(of.std())))[to][:, of]
        return np.asarray(logsumexp(near, axis=1) - math.log(len(known)))


def _kernel(values: int, ordered: bool, width: float, deviation: float) -> Floats:
    """Probability (values, values) of each value around each: Aitchison and Aitken's, or a discrete normal one."""
    if not ordered or values == 2:
        other = min(0.9 / values, width / values)
        return np.where(np.eye(values) > 0, 1 - (values - 1) * other, other)
    apart = np.subtract.outer(np.arange(values), np.arange(values)) / (max(0.5, deviation) * width + 0.3)
    normal = np.exp(-(apart**2) / 2)
    return np.asarray(0.95 * normal / normal.sum(0) + 0.05 / values)
