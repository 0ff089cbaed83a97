"""A data set without the images that leak: those that are also in a split that judges what was learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.selection import select_rows
from mnist_models.foundation.store import Store


def drop_leaks(dataset: DatasetReference, leaks: tuple[int, ...], root: Path, *, key: str) -> DatasetReference:
    """Returns a data set without some training and validation images; the test images stay as they are.

    Args:
        dataset: The data set as it was.
        leaks: Rows of its stored training array to leave out.
        root: The store's root.
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
    return select_rows(Store(root), dataset, kept, validation=validation, key=key)
