"""Proposals from a model of the scores: a Gaussian process over the search space and its rungs.

The model sees logarithms of validation losses. Combinations are as alike as Matérn's covariance with 5/2 says, with a
length for each hyperparameter. The rung is one more, so that losses after few epochs inform of those after many; each
rung has a level of its own besides. Lengths and noise are the likeliest under priors. docs/performance.md, "What
proposals come from", says what this is better than.
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
CLIMBS = 3  # of changes from the best
EXPLORE = 1 / 6
CAP = 5.0  # of logarithms above the least: how bad a loss of 150 times the best is does not matter
LEVEL = 16.0  # variance of a rung's level, in spreads
LENGTH = (-0.5, 0.7)  # mean and standard deviation of the logarithm of a length over the root of the dimensions
NOISE = (-2.0, 2.0)  # mean and standard deviation of the logarithm of the noise's variance
LEAST_NOISE = -9.0  # its least logarithm: with less, covariances could not be inverted
MOST = 9.0  # greatest logarithm of a length and of the noise, far from what their priors allow
STEPS = 40  # of the search for lengths and noise


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
    *,
    explore: float = EXPLORE,
) -> Values | None:
    """Proposes the combination with the greatest expected improvement at the top rung (Jones et al. 1998), or any.

    It is the greatest of random combinations and of what is found from them and from the best by changing one value at
    a time; improvement is on what the model expects to be the best seen. Open trials count as having scored what the
    model expects (Ginsbourger et al. 2010).

    Args:
        space: Of `Choice`, `Int`, `Boolean`, `Fixed`, and `Float` with a step.
        seen: All trials that have ended, at least one; a promoted one is an observation of each of its rungs.
        pending: Trials that are open.
        top_rung: The rung at which the best is sought.
        generator: Of candidates, and of proposals without the model; nothing else is random.
        explore: Share of the proposals without the model: it may be wrong where nothing was seen (Falkner et al. 2018).

    Returns:
        One that is neither seen nor pending, or None where the space has no more.

    Raises:
        ValueError: If nothing was seen, or a score is not finite.
    """
    grid = Grid(space)
    surrogate = fit(grid, seen, top_rung)
    observed, waiting = grid.positions([one.values for one in seen]), grid.positions(pending)
    taken = np.concatenate([observed, waiting])
    anywhere = grid.without(taken, grid.some(max(CANDIDATES, 4 * len(taken)), generator))
    if not len(anywhere):
        return None
    if generator.random() < explore:
        return grid.values(generator.choice(anywhere))
    order = np.argsort(surrogate.predict(observed)[0], kind="stable")[:BEST]
    incumbent, best = observed[order[:1]], np.rint(observed[order])
    believing, candidates = surrogate.believing(waiting), anywhere
    for _ in range(CLIMBS):
        candidates = np.concatenate([candidates, grid.without(taken, grid.neighbours(best))])
        improvement = expected_improvement(*believing.above(candidates, incumbent), 0.0)
        candidates = best = candidates[np.argsort(-improvement, kind="stable")[:BEST]]
    return grid.values(best[0])


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

    def above(self, positions: Floats, other: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of how far positions (m, dimensions) lie above another (1, dimensions), there."""
        return self.process.above(self._points(positions), self._points(other))

    def log_scores(self, positions: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm of scores at the top rung."""
        mean, deviation = self.process.predict(self._points(positions), self.top_rung)
        return self.centre + self.spread * mean, self.spread * deviation

    def believing(self, positions: Floats) -> Surrogate:
        """The surrogate had these trials scored at the top rung what it expects."""
        points = self._points(positions)
        expected, _ = self.process.predict(points, self.top_rung)
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
        raise ValueError(f"Expected finite scores, log(classes) for failures. Received: {[one.score for one in seen]}")
    rungs = np.array([one.rung for one in seen])
    losses = np.log([max(one.score, 1e-12) for one in seen])
    losses = np.minimum(losses, losses.min() + CAP)
    usual = losses[rungs == np.argmax(np.bincount(rungs) >= np.bincount(rungs).max() / 2)]  # of a low rung
    centre, spread = float(usual.mean()), float(usual.std()) or 1.0
    targets = (losses - centre) / spread
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
        alike, _ = _matern(cdist(self.points, self.points, "sqeuclidean"))
        return np.asarray(cholesky(alike + _nuisance(self.rungs, self.noise), lower=True, check_finite=False))

    def predict(self, points: Floats, rung: int | None = None) -> tuple[Floats, Floats]:
        """Mean and standard deviation at points (m, columns); without levels and noise, or as observed at a rung."""
        shared, variance = _matern(cdist(points, self.points, "sqeuclidean"))[0], 1.0
        if rung is not None:
            shared, variance = shared + LEVEL * (self.rungs == rung), variance + LEVEL + self.noise
        return self._given(shared, np.full(len(points), variance))

    def above(self, points: Floats, other: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of how far points (m, columns) lie above another (1, columns).

        What is not known of both, like a rung's level, cancels; in the deviation of either it would count as hope.
        """
        here, there = (_matern(cdist(some, self.points, "sqeuclidean"))[0] for some in (points, other))
        alike = _matern(cdist(points, other, "sqeuclidean"))[0][:, 0]
        return self._given(here - there, 2 - 2 * alike)

    def _given(self, shared: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (m,), given the observations, of what has this covariance with them (m, n)."""
        weights = cho_solve((self.factor, True), self.targets, check_finite=False)
        explained = solve_triangular(self.factor, shared.T, lower=True, check_finite=False)
        left = np.maximum(variance - np.einsum("ij,ij->j", explained, explained), 1e-12)
        return np.asarray(shared @ weights), np.sqrt(left)

    def after(self, points: Floats, rung: int, targets: Floats) -> Process:
        """The process with more observations at a rung."""
        rungs = np.append(self.rungs, np.full(len(points), rung))
        return Process(np.concatenate([self.points, points]), rungs, np.append(self.targets, targets), self.noise)


def _likeliest(points: Floats, owner: Integers, rungs: Integers, targets: Floats) -> tuple[Floats, float]:
    """The lengths of each column and the noise's variance that are likeliest given the observations."""
    dimensions = range(owner[-1] + 1)
    apart = np.stack([pdist(points[:, owner == i], "sqeuclidean") for i in dimensions])  # each pair once: half the work
    means = np.append(np.full(len(dimensions), LENGTH[0] + math.log(len(dimensions)) / 2), NOISE[0])
    spreads = np.append(np.full(len(dimensions), LENGTH[1]), NOISE[1])
    bounds = [*[(-MOST, MOST)] * len(dimensions), (LEAST_NOISE, MOST)]

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        """Minus the logarithm of the posterior density, and its gradient (Rasmussen and Williams 2006, 5.9)."""
        shrink, noise = np.exp(-2 * logarithms[:-1]), math.exp(logarithms[-1])
        alike, slope = _matern(shrink @ apart)
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


def _matern(squared: Floats) -> tuple[Floats, Floats]:
    """Covariance of points at a squared distance, Matérn's with 5/2, and its derivative by that distance."""
    root = np.sqrt(5 * squared)
    decay = np.exp(-root)
    return (1 + root + root**2 / 3) * decay, -5 / 6 * (1 + root) * decay
