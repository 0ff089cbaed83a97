"""How far the trials of a study will train, as far as that is known before it begins; without KerasTuner, at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnist_models.search.spaces import declare
from mnist_models.search.study import Study


def expected_epochs(study: Study) -> list[int]:
    """Returns how many epochs each trial will train, in the order asked.

    A trial of Hyperband trains the epochs that it adds to those of the trial it continues, every other trial those of
    the study's template at most. A small space may end Hyperband and Bayesian searches earlier.
    """
    oracle = study.oracle
    if oracle.kind == "hyperband":
        return hyperband_epochs(oracle.max_epochs, oracle.factor)
    combinations = space_size(study.space)
    return [study.template.epochs] * min(oracle.max_trials or combinations, combinations)


def hyperband_epochs(max_epochs: int, factor: int) -> list[int]:
    """Returns the epochs that each trial of a Hyperband adds, in the order asked, as KerasTuner rounds them.

    Args:
        max_epochs: Of its longest trials; every bracket ends with them.
        factor: One trial in so many is kept (Li et al. 2018).
    """
    brackets, epochs = 0, float(max_epochs)
    while epochs >= 1:
        epochs, brackets = epochs / factor, brackets + 1
    smallest = math.ceil(1 + math.log(max_epochs, factor))
    added: list[int] = []
    for bracket in reversed(range(brackets)):
        before = 0
        for number in range(bracket + 1):
            size = math.ceil(smallest / (bracket + 1) * factor ** (bracket - number))
            trained = math.ceil(max_epochs / factor ** (bracket - number))
            added += [trained - before] * size
            before = trained
    return added


def space_size(name: str) -> int:
    """Returns the number of combinations in a search space."""
    counted = _Count()
    declare(name, counted)  # it has the methods that spaces use
    return counted.combinations


class _Count:
    """Stands in for KerasTuner's `HyperParameters` and counts."""

    def __init__(self) -> None:
        self.combinations = 1

    def Choice(self, name: str, values: Sequence[Any]) -> None:  # noqa: N802
        """One of some values."""
        self.combinations *= len(values)

    def Int(self, name: str, low: int, high: int) -> None:  # noqa: N802
        """A whole number."""
        self.combinations *= high - low + 1

    def Float(self, name: str, low: float, high: float, step: float) -> None:  # noqa: N802
        """A number on a grid, whose last point KerasTuner leaves out where rounding hides it."""
        self.combinations *= int((high - low) // step + 1)
