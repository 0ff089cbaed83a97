"""Meeting the workers of a cluster, before anything is left to them."""

from __future__ import annotations

import functools
import logging

from mnist_models.foundation.settings import Settings
from tasks.artifacts import page, show_markdown
from tasks.progress import PROGRESS
from tasks.workers.interface import Workplace
from tasks.workers.started import start_workers, workers_of, workplace_of

LOG = logging.getLogger(__name__)


def meet_workers(settings: Settings) -> None:
    """Connects to the cluster, where there is one, and says how many workers it lends, on the run's page, too.

    Raises:
        ClusterError: If it cannot be reached, or none of its workers will do.
    """
    if settings.cluster is not None:
        PROGRESS.workers = workers_of(settings)
        _introduce(workplace_of(settings))


@functools.cache  # stages meet them, too
def _introduce(place: Workplace) -> None:
    workers = start_workers(place)
    dashboard = getattr(workers, "dashboard", "")
    LOG.info("cluster  %s: %d workers · %s", place.cluster, workers.count, dashboard, extra=page())
    show_markdown("cluster", f"[Dask's dashboard]({dashboard}) of `{place.cluster}`", "The cluster that trains")
