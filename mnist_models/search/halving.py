"""Successive halving whose proposals come from a model of all that was seen: what to ask next, given what was told.

Each bracket asks for combinations at its first rung, waits until they are told, and promotes the best to the next,
where they go on from their checkpoints (Jamieson and Talwalkar 2016; Li et al. 2018). New combinations come from the
model across all rungs (Falkner et al. 2018, there with another model). Nothing here depends on time or on who trains:
the same scores, told in the order asked, give the same trials.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mnist_models.search.study import OracleSpec, Rung
from mnist_models.surrogate.grid import Grid
from mnist_models.surrogate.proposals import Observation, enough, initial_design, propose
from mnist_models.surrogate.values import Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

CHANGED = 1 / 3  # of the hyperparameters, in the first combinations that are tried beside the best so far


def rungs(trials: int, images: int, *, count: int = 3, factor: int = 3) -> tuple[Rung, ...]:
    """Returns a bracket: each rung has one combination in `factor` of the one before, and `factor` times its images.

    Args:
        trials: Combinations at the first rung.
        images: Of the last rung.
        count: Number of rungs; fewer where there are fewer trials.
        factor: One combination in so many is promoted.
    """
    sizes = [max(round(trials / factor**number), 1) for number in range(count)]
    return tuple(
        Rung(trials=size, images=max(images // factor ** (count - 1 - number), 1)) for number, size in enumerate(sizes)
    )


@dataclass
class Ask:
    """A trial that was asked for.

    Attributes:
        number: From 1, in the order asked.
        values: Its hyperparameters.
        bracket, rung: Where, from 0.
        parent: Number of the trial that it continues, or None.
        seed: Added to the study's.
        score: Once it was told.
    """

    number: int
    values: Values
    bracket: int
    rung: int
    parent: int | None = None
    seed: int = 0
    score: float | None = None


@dataclass
class Halving:
    """The state of a search.

    Args:
        spec: Of kind "halving".
        space: What is searched.

    Attributes:
        asked: All trials, in the order asked.
        done: Whether nothing more will be asked.
    """

    spec: OracleSpec
    space: HyperParameters
    asked: list[Ask] = field(default_factory=list)
    done: bool = False

    def __post_init__(self) -> None:
        self._generator = np.random.default_rng(self.spec.seed)
        self._images = sorted({rung.images for bracket in self.spec.brackets for rung in bracket})
        self._bracket, self._rung = 0, 0
        self._here: list[Ask] = []  # of the present rung
        self._taken: set[tuple[object, ...]] = set()
        self._first = deque((*self.spec.known, *self.spec.portfolio))
        self._enough = enough(self.space) * 2 // 3 if self.spec.known else enough(self.space)
        self._promoted: deque[tuple[Ask, int]] = deque()  # with the seed
        self._design = deque(self._first_values())

    def ask(self) -> Ask | None:
        """Returns the next trial; None where others must be told first, or nothing is left."""
        while not self.done:
            found = self._next()
            if found is not None:
                self.asked.append(found)
                self._here.append(found)
                self._taken.add(_in_order(found.values))
                return found
            if any(one.score is None for one in self._here):
                return None
            here, self._here = self._here, []
            self._climb(here)
        return None

    def tell(self, number: int, score: float) -> None:
        """Takes in the score of a trial, its validation loss in nats."""
        self.asked[number - 1].score = score

    def _next(self) -> Ask | None:
        number = len(self.asked) + 1
        if self._rung:
            if not self._promoted:
                return None
            parent, seed = self._promoted.popleft()
            goes_on = parent.number if seed == 0 else None
            return Ask(number, parent.values, self._bracket, self._rung, goes_on, seed)
        known = len(self.spec.known) if self._bracket == 0 else 0
        if len(self._here) >= self.spec.brackets[self._bracket][0].trials + known:
            return None
        values = self._new_values()
        return None if values is None else Ask(number, values, self._bracket, 0)

    def _climb(self, here: list[Ask]) -> None:
        """Goes on to the next rung with the best of this one, or to the next bracket."""
        bracket = self.spec.brackets[self._bracket]
        if self._rung + 1 < len(bracket) and here:
            self._rung += 1
            seeds = self.spec.seeds if self._rung + 1 == len(bracket) else 1
            best = self._best(here, bracket[self._rung].trials)
            self._promoted.extend((one, seed) for seed in range(seeds) for one in best)
        else:
            self._bracket, self._rung = self._bracket + 1, 0
            self.done = self._bracket == len(self.spec.brackets)

    def _best(self, here: list[Ask], count: int) -> list[Ask]:
        """Those that are promoted: the lowest scores, the earliest of equals, and what is known besides."""
        ranked = sorted(here, key=lambda one: (one.score, one.number))
        found = [one for one in ranked if one.values not in self.spec.known][:count]
        return [one for one in ranked if one in found or one.values in self.spec.known]

    def _first_values(self) -> list[Values]:
        if self.spec.proposals == "model":
            return initial_design(self.space, max(self._enough, self.spec.window), self._generator)
        grid = Grid(self.space)
        wanted = sum(bracket[0].trials for bracket in self.spec.brackets) + len(self.spec.known)
        if self.spec.proposals == "grid":
            return [grid.values(row) for row in self._generator.permutation(grid.some(grid.size, self._generator))]
        return [grid.values(row) for row in self._generator.permutation(grid.some(4 * wanted, self._generator))]

    def _near_the_best(self, values: Values, told: list[Ask]) -> Values:
        """Takes some hyperparameters from a combination, most from the best so far: the space is too large to cover."""
        best = min(told, key=lambda one: (one.score, one.number)).values if told else self.spec.known[0]
        changed = self._generator.random(len(values)) < CHANGED
        return {name: value if new else best[name] for (name, value), new in zip(values.items(), changed, strict=True)}

    def _new_values(self) -> Values | None:
        """The next combination: to be tried first, of the first design, or of the model; None if all are had."""
        if self._first:
            return self._first.popleft()
        told = [one for one in self.asked if one.score is not None] if self.spec.proposals == "model" else []
        while self._design and (self.spec.proposals != "model" or len(told) < self._enough):
            values = self._design.popleft()
            if self.spec.proposals == "model" and self.spec.known:
                values = self._near_the_best(values, told)
            if _in_order(values) not in self._taken:
                return values
        if self.spec.proposals != "model" or not told:
            return None
        seen = [Observation(one.values, self._level(one), one.score) for one in told if one.score is not None]
        pending = [one.values for one in self.asked if one.score is None]
        return propose(self.space, seen, pending, len(self._images) - 1, self._generator)

    def _level(self, one: Ask) -> int:
        """A trial's rung among those of all brackets, by images."""
        return self._images.index(self.spec.brackets[one.bracket][one.rung].images)

    def is_last(self, one: Ask) -> bool:
        """Whether a trial is at the last rung of its bracket."""
        return one.rung + 1 == len(self.spec.brackets[one.bracket])

    def budgets(self, one: Ask) -> tuple[int, ...]:
        """Images seen at the end of each rung up to the trial's own."""
        return tuple(rung.images for rung in self.spec.brackets[one.bracket][: one.rung + 1])


def _in_order(values: Values) -> tuple[object, ...]:
    """A combination without the names, which all have, so that thousands take little room."""
    return tuple(values[name] for name in sorted(values))
