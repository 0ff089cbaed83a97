"""How far the trials of a study will train, as far as that is known before it begins; without KerasTuner, at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnist_models.search.spaces import declare
from mnist_models.search.study import OracleSpec, Proposal, Study


def expected_trials(study: Study) -> list[Proposal]:
    """Returns the trials of a study as far as they are known before it begins, in the order asked.

    Their values are empty. A trial of Hyperband has the epochs that it adds to those of the trial it continues. A small
    space may end a search earlier.
    """
    oracle = study.oracle
    if oracle.kind == "hyperband":
        added = hyperband_epochs(oracle.max_epochs, oracle.factor)
        return [Proposal(number=number, values={}, epochs=epochs) for number, epochs in enumerate(added, start=1)]
    if oracle.kind == "halving":
        return _halving_trials(study.oracle)
    combinations = space_size(study.space)
    count = min(oracle.max_trials or combinations, combinations)
    return [Proposal(number=number, values={}) for number in range(1, count + 1)]


def _halving_trials(oracle: OracleSpec) -> list[Proposal]:
    found: list[Proposal] = []
    for number, bracket in enumerate(oracle.brackets):
        known = len(oracle.known) if number == 0 else 0
        for rung, step in enumerate(bracket):
            last = rung + 1 == len(bracket)
            budgets = tuple(one.images for one in bracket[: rung + 1])
            for seed in range(oracle.seeds if last and rung else 1):
                parent = 1 if rung and not seed else None
                found += [
                    Proposal(
                        number=len(found) + 1 + one,
                        values={},
                        parent=parent,
                        budgets=budgets,
                        rung=rung,
                        last=last,
                        seed=seed,
                    )
                    for one in range(step.trials + known)
                ]
    return found


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
