"""How many trials of a study are open at a time, where the run chooses: once, as proposals depend on it."""

from __future__ import annotations

from mnist_models.foundation.records import SealedRecord, digest
from mnist_models.foundation.settings import AUTO, MOST_OPEN, Settings
from mnist_models.time_budget.plan import PLACES

FEWEST_OPEN = 4  # as where nothing is said
OPEN = 2  # trials of each worker: results are told in the order asked, and one that is slow must not keep others idle


class WindowPlan(SealedRecord):
    """What the first run chose; those that resume it follow, however many workers they have.

    Attributes:
        window: Open trials of each study.
        workers: That it was chosen for.
    """

    window: int
    workers: int


def window_for(workers: int) -> int:
    """Returns how many open trials keep so many workers busy."""
    return min(max(OPEN * workers, FEWEST_OPEN), MOST_OPEN)


def window_key(settings: Settings, stage: str, fingerprint: str) -> str:
    """Cache key of a plan: what is asked for, not where it runs.

    Args:
        settings: Whose window is `AUTO`.
        stage: What is to run.
        fingerprint: Of the data set.
    """
    assert settings.window == AUTO
    return f"window-{digest([settings.model_dump(mode='json', exclude=PLACES), stage, fingerprint])}"
