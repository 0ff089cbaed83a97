"""Budgets that fill a time: the searches' grow and shrink together, those of the final models less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mnist_models.foundation.settings import PROFILES, Settings
from mnist_models.search.costs import space_size

SMALLEST, LARGEST = 1 / 256, 256.0  # factors
STEPS = 14  # of the bisection: the factor is exact to a thousandth
RUNG_FACTOR = 3.0  # a rung's images to those of the one before
SEARCH, FINAL = 0.5, 0.3  # powers of the factor; trials and their epochs together make up a search's cost


class TimeTooShortError(ValueError):
    """Less time than the smallest budgets that mean anything take."""


@dataclass(frozen=True)
class Budget:
    """How a setting follows the factor.

    Attributes:
        power: Of the factor, that it is multiplied by.
        least: Below which a search means nothing.
        most: Above which there is nothing to gain.
        counts: What `least` does, where the setting is in epochs of `epoch_images`: "images", or those of the "first
            rung", of which the setting is the last.
    """

    power: float
    least: float
    most: float | None = None
    counts: Literal["", "images", "first rung"] = ""

    def smallest(self, settings: Settings) -> float:
        """The least, as the setting counts."""
        if not self.counts:
            return self.least
        rungs = settings.rungs if self.counts == "first rung" else 1
        return self.least * RUNG_FACTOR ** (rungs - 1) / settings.epoch_images


BUDGETS: dict[str, Budget] = {
    "grid_trials": Budget(SEARCH, least=6, most=space_size("fully_connected_grid")),
    "grid_epochs": Budget(SEARCH, least=3_000, counts="first rung"),
    "hyperband_max_epochs": Budget(2 * SEARCH, least=3),  # its trials grow with it
    "bayesian_trials": Budget(SEARCH, least=4),
    "bayesian_epochs": Budget(SEARCH, least=2_000, counts="first rung"),
    "augmentation_trials": Budget(SEARCH, least=3),
    "augmentation_epochs": Budget(SEARCH, least=2_000, counts="first rung"),
    "learning_rate_epochs": Budget(SEARCH, least=2_000, counts="first rung"),
    "recipe_trials": Budget(SEARCH, least=4),
    "recipe_epochs": Budget(SEARCH, least=2_000, counts="first rung"),
    "retraining_epochs": Budget(FINAL, least=4),
    "cnn_epochs": Budget(FINAL, least=10_000, counts="images"),
    "final_epochs": Budget(FINAL, least=10_000, counts="images"),
    "final_seeds": Budget(FINAL, least=2),
}
"""The settings that a time decides, where they are not set by hand."""

Budgets = dict[str, int | float]


@dataclass(frozen=True)
class Fitted:
    """Budgets that fit.

    Attributes:
        budgets: By name of the setting.
        factor: That they were scaled by.
        seconds: That they are expected to take.
        full: Whether more would take too long.
    """

    budgets: Budgets
    factor: float
    seconds: float
    full: bool


def fit_budgets(settings: Settings, seconds: float, cost: Callable[[Settings], float]) -> Fitted:
    """Returns the largest budgets that take at most so long, found by bisection.

    Args:
        settings: The profile's budgets are scaled; others than the profile's were set by hand and stay.
        seconds: That there are.
        cost: Seconds that a run with some settings takes.

    Raises:
        TimeTooShortError: If even the smallest take longer.
    """

    def attempt(factor: float, *, full: bool) -> Fitted:
        budgets = scaled(settings, factor)
        return Fitted(budgets, factor, cost(settings.model_copy(update=dict(budgets))), full)

    best = attempt(SMALLEST, full=True)
    if best.seconds > seconds:
        raise TimeTooShortError(_too_short(settings, best.seconds))
    if (most := attempt(LARGEST, full=False)).seconds <= seconds:
        return most
    high = LARGEST
    for _ in range(STEPS):
        middle = attempt((best.factor * high) ** 0.5, full=True)
        if middle.seconds <= seconds:
            best = middle
        else:
            high = middle.factor
    return best


def scaled(settings: Settings, factor: float) -> Budgets:
    """Returns the budgets that are not set by hand, scaled; never below the least, unless the profile's is.

    Args:
        settings: With a profile.
        factor: 1 for the profile's own budgets.
    """
    return {
        name: _scaled(name, own, factor, settings)
        for name in BUDGETS
        if getattr(settings, name) == (own := _of_profile(settings, name))
    }


def _scaled(name: str, own: int | float | None, factor: float, settings: Settings) -> int | float:
    budget = BUDGETS[name]
    start = budget.most if own is None else own
    assert start is not None, f"{name} has no number to start from"
    value = max(start * factor**budget.power, min(budget.smallest(settings), start))
    if budget.most is not None:
        value = min(value, budget.most)
    whole = Settings.model_fields[name].annotation is not float
    return round(value) if whole else float(round(value, 4))


def _of_profile(settings: Settings, name: str) -> int | float | None:
    default: int | float | None = Settings.model_fields[name].default
    own: int | float | None = PROFILES[settings.profile].get(name, default)
    return own


def _too_short(settings: Settings, seconds: float) -> str:
    needed = -(-seconds // 6) / 10
    smaller = "" if settings.profile == "quick" else ", or --profile quick"
    return (
        f"Expected at least {needed:g} minutes for searches that mean anything, with {settings.workers} "
        f"workers of this machine. Received: --minutes {settings.minutes:g}. Give it more time or workers{smaller}."
    )
