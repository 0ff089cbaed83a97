"""The task that fixes the window of a run's studies, once; runs that resume it follow."""

from __future__ import annotations

import logging

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import AUTO, Settings
from mnist_models.time_budget.window import WindowPlan, window_for, window_key
from tasks.artifacts import page
from tasks.caching import DURABLE, compute
from tasks.workers.started import workers_of

LOG = logging.getLogger(__name__)


@task(name="window", task_run_name="window of {stage}", **DURABLE)
def window_task(stage: str, workers: int, key: str) -> WindowPlan:
    """Chooses how many trials are open at a time."""
    return WindowPlan(key=key, window=window_for(workers), workers=workers)


def fix_window(settings: Settings, dataset: DatasetReference, stage: str) -> Settings:
    """Returns settings with a window: the first run's, where it is left to the run; those with one as they are.

    Args:
        settings: What was asked for.
        dataset: What will be trained on.
        stage: What will run.
    """
    if settings.window != AUTO:
        return settings
    key = window_key(settings, stage, dataset.fingerprint)
    plan: WindowPlan
    plan, cached = compute(window_task, settings, stage, workers_of(settings), key=key)
    whence = ", as an earlier run chose" if cached else ""
    LOG.info("window  %d open trials, for %d workers%s", plan.window, plan.workers, whence, extra=page())
    return settings.model_copy(update={"window": plan.window})
