"""Proposals from a model of the scores: a Gaussian process over the search space and its rungs.

The model sees logarithms of validation losses, the worst cut off. Combinations are as alike as Matérn's covariance with
5/2 says, with a length for each hyperparameter. The rung is one more, so that losses after few epochs inform of those
after many; each rung has a level of its own besides. Lengths and noise are the likeliest under priors: without, they
end at bounds, and proposals are random (docs/performance.md, "What proposals come from").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.special import ndtr

from mnist_models.surrogate.grid import Floats, Grid, Integers
from mnist_models.surrogate.values import Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

CANDIDATES = 1024  # random ones; smaller spaces are looked at whole
BEST = 8  # combinations whose neighbours are candidates, too
CUT = 3.0  # spreads above the median: how much worse a trial is does not matter
LEVEL = 16.0  # variance of a rung's level, in spreads
LENGTH = (0.0, 1.0)  # mean and standard deviation of the logarithm of a length over the root of the dimensions
NOISE = (-2.0, 2.0)  # mean and standard deviation of the logarithm of the noise's variance
LEAST_NOISE = -9.0  # logarithm: with less, covariances could not be inverted
STEPS = 40  # of the search for lengths and noise
LOWEST = 1e-12  # nats: logarithms of smaller scores say nothing


@dataclass(frozen=True)
class Observation:
    """A finished trial, as far as it was trained.

    Attributes:
        values, rung: Its hyperparameters, and how far: 0 is the cheapest.
        score: Validation loss in nats, finite.
    """

    values: Values
    rung: int
    score: float


def enough(space: HyperParameters) -> int:
    """How many observations a model needs to say more than chance."""
    return 2 + len(space.space) // 2


def initial_design(space: HyperParameters, count: int, generator: np.random.Generator) -> list[Values]:
    """Returns so many different combinations, or all that there are, to observe before there is a model."""
    grid = Grid(space)
    return [grid.values(position) for position in grid.spread(count, generator)]


def propose(
    space: HyperParameters,
    seen: Sequence[Observation],
    pending: Sequence[Values],
    top_rung: int,
    generator: np.random.Generator,
) -> Values | None:
    """Proposes the combination with the greatest expected improvement at the top rung (Jones et al. 1998).

    It is the greatest of a small space, else of random combinations and the neighbours of the best. Open trials count
    as having scored what the model expects (Ginsbourger et al. 2010).

    Args:
        space: Of `Choice`, `Int`, `Boolean`, `Fixed`, and `Float` with a step.
        seen: All trials that have ended, at least one; a promoted one is an observation of each of its rungs.
        pending: Trials that are open.
        top_rung: The rung at which the best is sought.
        generator: Of the candidates; nothing else is random.

    Returns:
        One that is neither seen nor pending, or None where the space has no more.

    Raises:
        ValueError: If nothing was seen, or a score is not finite.
    """
    grid = Grid(space)
    surrogate = fit(grid, seen, top_rung)
    observed, waiting = grid.positions([one.values for one in seen]), grid.positions(pending)
    expected, _ = surrogate.predict(observed)
    best = observed[np.argsort(expected, kind="stable")[:BEST]]
    candidates = grid.candidates(CANDIDATES, best, np.concatenate([observed, waiting]), generator)
    if not len(candidates):
        return None
    improvement = expected_improvement(*surrogate.believing(waiting).predict(candidates), float(expected.min()))
    return grid.values(candidates[np.argmax(improvement)])


def expected_improvement(mean: Floats, deviation: Floats, least: float) -> Floats:
    """By how much each point is expected to lie below the least, counting 0 where it does not."""
    gain = (least - mean) / deviation
    return np.asarray(deviation * (gain * ndtr(gain) + np.exp(-(gain**2) / 2) / math.sqrt(2 * math.pi)))


@dataclass(frozen=True)
class Surrogate:
    """What is known of a space's scores.

    Attributes:
        grid: The space.
        top_rung: Where the best is sought.
        lengths: Of each coordinate, and of the rung's.
        centre, spread: Of the logarithms of the scores: what the process calls 0, and 1.
        process: What was observed.
    """

    grid: Grid
    top_rung: int
    lengths: Floats
    centre: float
    spread: float
    process: Process

    def predict(self, positions: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation at the top rung, but for its level, in spreads; of positions (m, dimensions)."""
        return self.process.predict(self._points(positions))

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm of the scores that trials would have at the top rung."""
        mean, deviation = self.process.observe(self._points(positions), self.top_rung)
        return self.centre + self.spread * mean, self.spread * deviation

    def believing(self, positions: Floats) -> Surrogate:
        """The surrogate had these trials scored at the top rung what it expects."""
        points = self._points(positions)
        expected, _ = self.process.observe(points, self.top_rung)
        return replace(self, process=self.process.after(points, self.top_rung, expected))

    def _points(self, positions: Floats) -> Floats:
        rung = np.full(len(positions), float(self.top_rung > 0))
        return np.asarray(np.column_stack([self.grid.coordinates(positions), rung]) / self.lengths)


def fit(grid: Grid, seen: Sequence[Observation], top_rung: int) -> Surrogate:
    """Fits the model to what was seen.

    Raises:
        ValueError: If nothing was seen, or a score is not finite.
    """
    if not seen or not all(math.isfinite(one.score) for one in seen):
        scores = [one.score for one in seen]
        raise ValueError(f"Expected finite scores, one or more. Received: {scores}; give failed trials log(classes)")
    rungs = np.array([one.rung for one in seen])
    losses = np.log([max(one.score, LOWEST) for one in seen])
    most = losses[rungs == np.bincount(rungs).argmax()]  # rungs have levels of their own
    centre = float(np.median(most))
    spread = 1.5 * float(np.median(np.abs(most - centre))) or 1.0
    targets = np.minimum((losses - centre) / spread, CUT)
    coordinates = grid.coordinates(grid.positions([one.values for one in seen]))
    points = np.column_stack([coordinates, rungs / max(1, top_rung)])
    lengths, noise = _likeliest(points, np.append(grid.owner, len(grid.shape)), rungs, targets)
    return Surrogate(grid, top_rung, lengths, centre, spread, Process(points / lengths, rungs, targets, noise))


@dataclass(frozen=True)
class Process:
    """A Gaussian process of unit variance that knows its observations (Rasmussen and Williams 2006, algorithm 2.1).

    Attributes:
        points: Coordinates (n, columns) of the observations, each divided by its length.
        rungs, targets: Where, and what, was observed (n,).
        noise: Variance of what is observed twice.
    """

    points: Floats
    rungs: Integers
    targets: Floats
    noise: float

    @cached_property
    def factor(self) -> Floats:
        """Lower Cholesky factor (n, n) of the observations' covariance."""
        alike = _matern(cdist(self.points, self.points, "sqeuclidean"))
        return np.asarray(cholesky(alike + _nuisance(self.rungs, self.noise), lower=True, check_finite=False))

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation at points (m, columns), without levels and noise."""
        return self._given(_matern(cdist(points, self.points, "sqeuclidean")), 1.0)

    def observe(self, points: Floats, rung: int) -> tuple[Floats, Floats]:
        """Mean and standard deviation of what would be observed at points (m, columns) of a rung."""
        shared = _matern(cdist(points, self.points, "sqeuclidean")) + LEVEL * (self.rungs == rung)
        return self._given(shared, 1.0 + LEVEL + self.noise)

    def after(self, points: Floats, rung: int, targets: Floats) -> Process:
        """The process with more observations at a rung."""
        rungs = np.append(self.rungs, np.full(len(points), rung))
        return Process(np.concatenate([self.points, points]), rungs, np.append(self.targets, targets), self.noise)

    def _given(self, shared: Floats, variance: float) -> tuple[Floats, Floats]:
        weights = cho_solve((self.factor, True), self.targets, check_finite=False)
        explained = solve_triangular(self.factor, shared.T, lower=True, check_finite=False)
        left = np.maximum(variance - np.einsum("ij,ij->j", explained, explained), 1e-12)
        return np.asarray(shared @ weights), np.sqrt(left)


def _likeliest(points: Floats, owner: Integers, rungs: Integers, targets: Floats) -> tuple[Floats, float]:
    """The lengths of each column and the noise's variance that are likeliest given the observations."""
    dimensions = range(owner[-1] + 1)
    apart = np.stack([pdist(points[:, owner == i], "sqeuclidean") for i in dimensions])  # each pair once: half the work
    means = np.append(np.full(len(dimensions), LENGTH[0] + math.log(len(dimensions)) / 2), NOISE[0])
    spreads = np.append(np.full(len(dimensions), LENGTH[1]), NOISE[1])
    bounds = [*[(-math.inf, math.inf)] * len(dimensions), (LEAST_NOISE, math.inf)]

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        """Minus the logarithm of the posterior density, and its gradient (Rasmussen and Williams 2006, 5.9)."""
        shrink, noise = np.exp(-2 * logarithms[:-1]), math.exp(logarithms[-1])
        alike, slope = _matern_and_slope(shrink @ apart)
        covariance = squareform(alike) + np.eye(len(targets)) + _nuisance(rungs, noise)
        factor = cholesky(covariance, lower=True, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(targets)), check_finite=False)
        weights = inverse @ targets
        excess = inverse - np.outer(weights, weights)
        away = (logarithms - means) / spreads
        by_length = -2 * shrink * (apart @ (slope * squareform(excess, checks=False)))
        gradient = np.append(by_length, np.trace(excess) * noise / 2) + away / spreads
        return float(targets @ weights / 2 + np.log(np.diag(factor)).sum() + away @ away / 2), gradient

    found = minimize(loss, means, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}).x
    return np.exp(found[:-1])[owner], math.exp(found[-1])


def _nuisance(rungs: Integers, noise: float) -> Floats:
    """Covariance (n, n) of what does not depend on combinations: the rungs' levels, and noise."""
    return np.asarray(LEVEL * (rungs[:, None] == rungs[None, :]) + noise * np.eye(len(rungs)))


def _matern(squared: Floats) -> Floats:
    """Covariance of points at a squared distance: Matérn's with 5/2."""
    return _matern_and_slope(squared)[0]


def _matern_and_slope(squared: Floats) -> tuple[Floats, Floats]:
    """The same, and its derivative by the squared distance."""
    root = np.sqrt(5 * squared)
    decay = np.exp(-root)
    return (1 + root + root**2 / 3) * decay, -5 / 6 * (1 + root) * decay
