"""Where the values of a hyperparameter lie on an axis from 0 to 1: evenly, where they are few or have names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from mnist_models.report.drawing import log_ticks

MOST_CATEGORIES = 10  # a hyperparameter of more values gets a numeric axis
WIDE = 30  # a numeric axis on which the last value is so many times the first is logarithmic

Value = int | float | str


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        places: Where each value lies, from 0 to 1, in the order given.
        ticks: Places and labels.
        even: Whether each value has a place of its own.
    """

    places: list[float]
    ticks: list[tuple[float, str]]
    even: bool


def scale(values: Sequence[Value]) -> Scale:
    """Returns the axis of a hyperparameter's values: at least one, numbers or names."""
    known = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    numbers = [float(value) for value in values if not isinstance(value, str)]
    if len(known) > MOST_CATEGORIES and len(numbers) == len(values):
        return _numeric(numbers)
    place = {value: number / max(len(known) - 1, 1) if len(known) > 1 else 0.5 for number, value in enumerate(known)}
    return Scale([place[value] for value in values], [(place[value], label(value)) for value in known], even=True)


def label(value: Value) -> str:
    """A value as short as it can be written."""
    return value if isinstance(value, str) else f"{value:g}"


def _numeric(numbers: Sequence[float]) -> Scale:
    low, high = min(numbers), max(numbers)
    wide = low > 0 and high > WIDE * low
    ticks = (
        log_ticks(low, high, 0.5) if wide else [t for t in MaxNLocator(4).tick_values(low, high) if low <= t <= high]
    )
    first, span = (math.log(low), math.log(high / low)) if wide else (low, high - low)

    def places(those: Sequence[float]) -> list[float]:
        found: list[float] = (((np.log(those) if wide else np.asarray(those)) - first) / span).tolist()
        return found

    return Scale(places(numbers), list(zip(places(ticks), map(label, ticks), strict=True)), even=False)
