"""The plan of a run that has so many minutes: budgets, chosen once by what trainings cost where it began."""

from __future__ import annotations

from typing import Any

from mnist_models.foundation.records import SealedRecord, digest
from mnist_models.foundation.settings import Settings
from mnist_models.training.cost import Costs

# Settings that say where and how fast, not what
PLACES = {"store", "cache_size", "data", "workers", "cluster", "cluster_resources", "refresh"}


class TimePlan(SealedRecord):
    """Budgets that fit so many minutes, and what they rest on.

    Attributes:
        minutes: What was asked for.
        workers: That it was made for; others follow it, too.
        budgets: The settings that were chosen.
        factor: What the profile's searches were scaled by.
        full: Whether `minutes` are filled; False where larger budgets would bring nothing.
        expected_seconds: From the start of the command to its end.
        costs: As measured.
    """

    minutes: float
    workers: int
    budgets: dict[str, int | float]
    factor: float
    full: bool
    expected_seconds: float
    costs: Costs

    def apply(self, settings: Settings) -> Settings:
        """Returns the settings with the budgets of this plan, and without the minutes that led to them."""
        return settings.model_copy(update={**self.budgets, "minutes": None})


def plan_key(settings: Settings, stage: str, fingerprint: str) -> str:
    """Cache key of a plan: what is asked for, not how fast the machine is, nor how many workers it has.

    Args:
        settings: With minutes.
        stage: What is to run.
        fingerprint: Of the data set.
    """
    asked: dict[str, Any] = settings.model_dump(mode="json", exclude=PLACES)
    return f"plan-{digest([asked, stage, fingerprint])}"
