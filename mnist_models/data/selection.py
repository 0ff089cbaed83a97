"""Data sets made of some rows of another: without the images that leak, or without one of several folds."""

from __future__ import annotations

import hashlib

import numpy as np

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.records import digest
from mnist_models.foundation.store import Store


def select_rows(
    store: Store, dataset: DatasetReference, rows: np.ndarray, *, validation: int, key: str
) -> DatasetReference:
    """Writes a data set that has only some of another's training and validation images, and all of its test images.

    Args:
        store: The store that holds the data set.
        dataset: Which data set.
        rows: int64 [n], rows of its stored training array, in the order in which they are to lie.
        validation: How many of them, the last ones, validate.
        key: Cache key that the returned record carries.

    Raises:
        DamagedFileError: If a file of the data set is missing or is not what was written.
    """
    fingerprint = digest([dataset.fingerprint, hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(), validation])
    images = read_split(store, dataset, "train+validation")
    files = {
        name: store.write_array(f"datasets/{fingerprint[:16]}/{name}.npy", np.asarray(array[rows]))
        for name, array in (("x_train", images.x), ("y_train", images.y))
    }
    changed = {
        "key": key,
        "fingerprint": fingerprint,
        "train": len(rows) - validation,
        "validation": validation,
        "files": {**dataset.files, **files},
    }
    return DatasetReference(**{**{name: getattr(dataset, name) for name in _kept()}, **changed})


def _kept() -> set[str]:
    return set(DatasetReference.model_fields) - {"seal"}
