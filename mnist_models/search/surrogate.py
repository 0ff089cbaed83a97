"""Proposals from a model of the scores: a Gaussian process over the search space and its rungs.

The model sees logarithms of validation losses. Each rung has a level of its own, so that losses after few epochs inform
of those after many; closeness of combinations is Matérn's with 5/2, with a length for each hyperparameter. Lengths and
noise are the likeliest ones under priors (Hvarfner et al. 2024: lengths grow with the dimensions), never at a bound.
What is proposed has the greatest expected improvement at the top rung (Jones et al. 1998) among random combinations and
neighbours of the best; open trials count as having scored what the model expects (Ginsbourger et al. 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import ndtr
from scipy.stats import qmc

from mnist_models.search.encoding import Floats, Grid
from mnist_models.search.study import Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Integers = NDArray[np.int64]

CANDIDATES = 1024  # random ones; smaller spaces are looked at whole
BEST = 8  # combinations whose neighbours are candidates, too
LEVEL = 4.0  # variance of a rung's level, in variances of the scores
NOISE = (-4.0, 1.0)  # mean and standard deviation of the logarithm of the noise's variance
STEPS = 40  # of the search for lengths and noise
LOWEST = 1e-12  # nats: logarithms of smaller scores say nothing


@dataclass(frozen=True)
class Observation:
    """A finished trial, as far as it was trained.

    Attributes:
        values: Its hyperparameters.
        rung: How far: 0 is the cheapest.
        score: Validation loss in nats.
    """

    values: Values
    rung: int
    score: float


def enough(space: HyperParameters) -> int:
    """How many observations a model needs to say more than chance."""
    return 2 + len(space.space) // 2


def initial_design(space: HyperParameters, count: int, generator: np.random.Generator) -> list[Values]:
    """Different combinations that cover every hyperparameter's values evenly, to observe before there is a model.

    A scrambled Sobol sequence (Owen 1998) put on the grid.

    Returns:
        `count` of them, or all that the space has.
    """
    grid = Grid(space)
    points = qmc.Sobol(len(grid.shape), rng=generator).random(1 << (4 * count).bit_length())
    rows = np.concatenate([np.floor(points * grid.shape), generator.permutation(grid.some(4 * count, generator))])
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    return [grid.values(row) for row in rows[first[:count]]]


def propose(
    space: HyperParameters,
    seen: Sequence[Observation],
    pending: Sequence[Values],
    top_rung: int,
    generator: np.random.Generator,
) -> Values | None:
    """Proposes the combination with the greatest expected improvement at the top rung.

    Args:
        space: Of `Choice`, `Int`, and `Float` with a step.
        seen: All trials that have ended, at least one; each rung of a promoted one is an observation.
        pending: Trials that are open.
        top_rung: The rung at which the best is sought.
        generator: Of the candidates; nothing else is random.

    Returns:
        One that is neither seen nor pending, or None where the space has no more.

    Raises:
        ValueError: If nothing was seen, or a score is not finite.
    """
    if not seen or not all(math.isfinite(one.score) for one in seen):
        raise ValueError(
            f"Expected observations with finite scores to propose from. Received: {len(seen)}, "
            f"scores {[one.score for one in seen if not math.isfinite(one.score)]}; give failed trials log(classes)."
        )
    grid = Grid(space)
    observed = grid.positions([one.values for one in seen])
    waiting = grid.positions(pending)
    model, place = _fit(grid, observed, seen, top_rung)
    expected = model.predict(place(observed))[0]
    best = observed[np.argsort(expected, kind="stable")[:BEST]]
    candidates = _candidates(grid, best, np.concatenate([observed, waiting]), generator)
    if not len(candidates):
        return None
    mean, deviation = model.believing(place(waiting), top_rung).predict(place(candidates))
    return grid.values(candidates[np.argmax(_expected_improvement(mean, deviation, expected.min()))])


def _fit(
    grid: Grid, observed: Floats, seen: Sequence[Observation], top_rung: int
) -> tuple[_Process, Callable[[Floats], Floats]]:
    """Fits the process; also returns where in it combinations lie at the top rung."""
    rungs = np.array([one.rung for one in seen])
    targets = _standardised(np.log([max(one.score, LOWEST) for one in seen]), rungs)
    points = np.column_stack([grid.coordinates(observed), rungs / max(1, top_rung)])
    owner = np.append(grid.owner, len(grid.shape))
    lengths, noise = _likeliest(points, owner, rungs, targets)

    def place(positions: Floats) -> Floats:
        top = np.full(len(positions), float(top_rung > 0))
        return np.column_stack([grid.coordinates(positions), top]) / lengths

    return _Process(points / lengths, rungs, targets, noise), place


def _standardised(losses: Floats, rungs: Integers) -> Floats:
    """Losses in units of their spread at the rung that has most; the worst are cut off, as how bad does not matter."""
    most = losses[rungs == np.bincount(rungs).argmax()]
    median = np.median(most)
    spread = np.median(np.abs(most - median)) * 1.5 or 1.0
    return np.asarray(np.minimum((losses - median) / spread, 3.0))


def _candidates(grid: Grid, best: Floats, taken: Floats, generator: np.random.Generator) -> Floats:
    """What could be proposed: the whole of a small space, else random combinations and the neighbours of the best."""
    known = set(map(tuple, taken.tolist()))
    rows = np.concatenate([grid.some(max(CANDIDATES, 4 * len(known)), generator), grid.neighbours(np.rint(best))])
    return rows[[tuple(row) not in known for row in rows.tolist()]]


def _expected_improvement(mean: Floats, deviation: Floats, least: float) -> Floats:
    """By how much each point is expected to lie below the least, counting 0 where it does not."""
    gain = (least - mean) / deviation
    return np.asarray(deviation * (gain * ndtr(gain) + np.exp(-(gain**2) / 2) / math.sqrt(2 * math.pi)))


@dataclass(frozen=True)
class _Process:
    """A Gaussian process over combinations and rungs, which knows its observations.

    Attributes:
        points: Coordinates (n, columns) of the observations, each divided by its length.
        rungs: Of the observations (n,).
        targets: What was observed (n,), of about unit variance.
        noise: Variance of what is observed twice.
    """

    points: Floats
    rungs: Integers
    targets: Floats
    noise: float

    @cached_property
    def factor(self) -> Floats:
        """Lower Cholesky factor (n, n) of the observations' covariance."""
        closeness = _matern(cdist(self.points, self.points, "sqeuclidean"))
        return np.asarray(cholesky(closeness + _nuisance(self.rungs, self.noise), lower=True, check_finite=False))

    @cached_property
    def weights(self) -> Floats:
        """Of each observation in a prediction (n,)."""
        return np.asarray(cho_solve((self.factor, True), self.targets, check_finite=False))

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation at points (m, columns), both without the rungs' levels."""
        shared = _matern(cdist(points, self.points, "sqeuclidean"))
        explained = solve_triangular(self.factor, shared.T, lower=True, check_finite=False)
        variance = 1 - np.einsum("ij,ij->j", explained, explained)
        return shared @ self.weights, np.sqrt(np.maximum(variance, 1e-12))

    def believing(self, points: Floats, rung: int) -> _Process:
        """The process had it observed what it expects at these points of a rung."""
        level = LEVEL * (self.rungs == rung) @ self.weights
        return _Process(
            np.concatenate([self.points, points]),
            np.append(self.rungs, np.full(len(points), rung)),
            np.append(self.targets, self.predict(points)[0] + level),
            self.noise,
        )


def _likeliest(points: Floats, owner: Integers, rungs: Integers, targets: Floats) -> tuple[Floats, float]:
    """The lengths of each column and the noise that are likeliest given the observations."""
    count = owner[-1] + 1
    belong = np.eye(count)[owner].T
    apart = np.stack([cdist(points[:, owner == i], points[:, owner == i], "sqeuclidean") for i in range(count)])
    means = np.append(np.full(count, math.sqrt(2) + math.log(count) / 2), NOISE[0])
    spreads = np.append(np.full(count, math.sqrt(3)), NOISE[1])

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        scaled = apart / np.exp(2 * logarithms[:-1, None, None])
        closeness, slope = _matern_and_slope(scaled.sum(0))
        factor = cholesky(closeness + _nuisance(rungs, math.exp(logarithms[-1])), lower=True, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(targets)), check_finite=False)
        weights = inverse @ targets
        excess = inverse - np.outer(weights, weights)
        away = (logarithms - means) / spreads
        gradient = np.append(
            -np.einsum("ij,kij->k", excess * slope, scaled), np.trace(excess) * math.exp(logarithms[-1]) / 2
        )
        value = targets @ weights / 2 + np.log(np.diag(factor)).sum() + (away**2).sum() / 2
        return float(value), gradient + away / spreads

    found = minimize(loss, means, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    return np.exp(found[:-1]) @ belong, math.exp(found[-1])


def _nuisance(rungs: Integers, noise: float) -> Floats:
    """Covariance (n, n) of what does not depend on combinations: the rungs' levels, and noise."""
    return np.asarray(LEVEL * (rungs[:, None] == rungs[None, :]) + noise * np.eye(len(rungs)))


def _matern(squared: Floats) -> Floats:
    """Covariance of points at a squared distance: Matérn's with 5/2."""
    root = np.sqrt(5 * squared)
    return np.asarray((1 + root + root**2 / 3) * np.exp(-root))


def _matern_and_slope(squared: Floats) -> tuple[Floats, Floats]:
    """The same, and its derivative by the squared distance."""
    root = np.sqrt(5 * squared)
    decay = np.exp(-root)
    return (1 + root + root**2 / 3) * decay, -5 / 6 * (1 + root) * decay
