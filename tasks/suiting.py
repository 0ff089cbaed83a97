"""How a training is made to suit its data: classes of very different sizes, and images that take much memory."""

from __future__ import annotations

import logging

from mnist_models.data.dataset import DatasetReference, count_labels
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.inspection.census import class_weights
from mnist_models.programs.memory import expected_memory, fitting_batch
from mnist_models.training.specification import TrainingSpec
from tasks.artifacts import page
from tasks.workers.local import MOST_MEMORY

LOG = logging.getLogger(__name__)


def suited(name: str, spec: TrainingSpec, dataset: DatasetReference, settings: Settings) -> TrainingSpec:
    """Returns a training as it suits its data, and says where that is another than the usual, or will not fit.

    Where the largest class is over five times as large as the smallest, all count alike; where steps would take a
    worker past its limit, they take fewer images.

    Args:
        name: Of the stage.
        spec: The usual training; the largest of a search where its hyperparameters are not all known.
        dataset: What it trains on.
        settings: Where the data set lies.
    """
    weights = class_weights(count_labels(Store(settings.store), dataset))
    size = fitting_batch(spec.shape(dataset))
    fitting = spec.model_copy(update={"class_weights": weights, "batch_size": size})
    if size != spec.batch_size:
        LOG.info("%s: steps of %d images, not %d, to fit a worker", name, size, spec.batch_size, extra=page())
    needed = expected_memory(fitting.shape(dataset))
    if needed > MOST_MEMORY:
        LOG.warning(
            "%s: a worker may need %.1f GB, more than its usual %.1f: expected are smaller images, or fewer --workers",
            name, needed / 1e9, MOST_MEMORY / 1e9, extra=page(),
        )  # fmt: skip
    return fitting
