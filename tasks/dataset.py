"""The task that preprocesses the data set."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import EMBEDDED, preprocess
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from tasks.artifacts import page
from tasks.caching import DURABLE, compute

LOG = logging.getLogger(__name__)


@task(name="preprocess", task_run_name="preprocess {source}", **DURABLE)
def preprocess_task(
    source: str, root: Path, data: Path | None, images: int | None, seed: int, key: str
) -> DatasetReference:
    """Loads, verifies, splits and stores a data set; see `mnist_models.data.dataset.preprocess`."""
    return preprocess(Store(root), data=data, images=images, seed=seed, key=key)


def preprocess_dataset(settings: Settings) -> DatasetReference:
    """Returns the data set that the settings name, preprocessed before or now."""
    store = Store(settings.store)
    path = settings.data or EMBEDDED
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    code = code_fingerprint("data.preprocessing")
    key = f"dataset-{digest([path.name, content, settings.images, settings.seed, code])}"
    dataset: DatasetReference
    dataset, _ = compute(
        preprocess_task, settings, path.name, store.root, settings.data, settings.images, settings.seed, key=key
    )
    LOG.info(
        "data  %s: %s images to train, %s to validate, %s to test",
        path.name, *(f"{count:,}" for count in (dataset.train, dataset.validation, dataset.test)), extra=page(),
    )  # fmt: skip
    return dataset
