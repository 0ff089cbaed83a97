"""How every stage begins: with a data set, and with budgets that fit its time."""

from __future__ import annotations

from flows.preprocessing import preprocessing
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from tasks.meeting import meet_workers
from tasks.time_budget import Planner, fit_to_time
from tasks.window import fix_window


def begin(
    settings: Settings, dataset: DatasetReference | None, stage: str, planner: Planner
) -> tuple[Settings, DatasetReference]:
    """Returns the settings, fitted to their minutes where they have some, and the data set.

    Args:
        settings: What was asked for. Those that a pipeline has fitted have no minutes any more.
        dataset: None to preprocess it.
        stage: What begins.
        planner: Says what it will train, with all that it needs.
    """
    meet_workers(settings)
    dataset = dataset or preprocessing(settings)
    settings = fix_window(settings, dataset, stage)
    return fit_to_time(settings, dataset, stage, planner), dataset
