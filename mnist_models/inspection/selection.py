"""Data sets made of some rows of another: without the images that leak, or without one of several folds."""

from __future__ import annotations

import functools
import hashlib

import numpy as np

from mnist_models.data.dataset import DatasetReference, training_arrays
from mnist_models.foundation.array_file import write_rows
from mnist_models.foundation.files import NewFile
from mnist_models.foundation.records import FileReference, digest
from mnist_models.foundation.store import Store

WRITTEN_BYTES = 2**24  # at a time


def drop_leaks(store: Store, dataset: DatasetReference, leaks: tuple[int, ...], *, key: str) -> DatasetReference:
    """Returns a data set without some training and validation images; the test images stay as they are.

    Args:
        store: The store that holds the data set.
        dataset: The data set as it was.
        leaks: Rows of its stored training array that are also in a split that judges what is learned from them.
        key: Cache key that the returned record carries.

    Raises:
        ValueError: If no image would be left to train on, or none to validate on.
        DamagedFileError: If a file of the data set is missing or is not what was written.
    """
    kept = np.delete(np.arange(dataset.train + dataset.validation), leaks)
    validation = int((kept >= dataset.train).sum())
    if not 0 < validation < len(kept):
        raise ValueError(
            f"Expected --drop-leaks to leave images to train and to validate on. Received: {len(leaks):,} leaks, which "
            f"leave {len(kept) - validation:,} and {validation:,}. Splits that share so much cannot judge anything."
        )
    return select_rows(store, dataset, kept, validation=validation, key=key)


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
    files = {
        name: _write_rows(store, f"datasets/{fingerprint[:16]}/{name}.npy", array, rows)
        for name, array in training_arrays(store, dataset).items()
    }
    changed = {
        "key": key,
        "fingerprint": fingerprint,
        "train": len(rows) - validation,
        "validation": validation,
        "files": {**dataset.files, **files},
    }
    return DatasetReference(**{**{name: getattr(dataset, name) for name in _kept()}, **changed})


def _write_rows(store: Store, path: str, array: np.ndarray, rows: np.ndarray) -> FileReference:
    """Writes some rows of an array that may be larger than memory."""
    step = max(WRITTEN_BYTES // max(array[:1].nbytes, 1), 1)
    parts = [
        functools.partial(np.take, array, rows[first : first + step], axis=0) for first in range(0, len(rows), step)
    ]
    with NewFile(store.root / path) as file:
        write_rows(file, array.dtype, (len(rows), *array.shape[1:]), parts)
        return store.place(file, path)


def _kept() -> set[str]:
    return set(DatasetReference.model_fields) - {"seal"}
