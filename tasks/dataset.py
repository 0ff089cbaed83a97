"""The task that preprocesses the data set."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import EMBEDDED, preprocess
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.sources.detect import content_digest
from mnist_models.sources.source import Options
from tasks.artifacts import page
from tasks.caching import DURABLE, compute
from tasks.options import options_of

LOG = logging.getLogger(__name__)


@task(name="preprocess", task_run_name="preprocess {source}", **DURABLE)
def preprocess_task(
    source: str, root: Address, data: Path | None, images: int | None, seed: int, options: Options, key: str
) -> DatasetReference:
    """Reads, splits and stores a data set; see `mnist_models.data.preprocessing.preprocess`."""
    return preprocess(Store(root), data=data, images=images, seed=seed, key=key, options=options)


def preprocess_dataset(settings: Settings) -> DatasetReference:
    """Returns the data set that the settings name, preprocessed before or now."""
    root, options = Store(settings.store).address, options_of(settings)
    path = settings.data or EMBEDDED
    code = code_fingerprint("data.preprocessing")
    inputs = [path.name, content_digest(path), settings.images, settings.seed, asdict(options), code]
    key = f"dataset-{digest(inputs)}"
    dataset: DatasetReference
    dataset, _ = compute(
        preprocess_task, settings, path.name, root, settings.data, settings.images, settings.seed, options, key=key
    )
    LOG.info(
        "data  %s: %s images to train, %s to validate, %s to test",
        path.name, *(f"{count:,}" for count in (dataset.train, dataset.validation, dataset.test)), extra=page(),
    )  # fmt: skip
    for left_out in dataset.left_out:
        LOG.warning("data  left out: %s", left_out, extra=page())
    return dataset
