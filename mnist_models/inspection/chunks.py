"""The splits of a data set, read a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from mnist_models.data.dataset import DatasetReference, Images, read_split
from mnist_models.foundation.store import Store

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CHUNK_BYTES = 2**22  # of pixels at a time


def read_splits(store: Store, dataset: DatasetReference) -> dict[Split, Images]:
    """Returns all splits as views of memory-mapped files.

    Raises:
        DamagedFileError: If a file is missing or is not what was written.
    """
    return {split: read_split(store, dataset, split) for split in SPLITS}


def chunks(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Yields some images after the others.

    Args:
        pixels: uint8 [n, height, width, channels].

    Yields:
        uint8 [k, height, width, channels], of `CHUNK_BYTES` or a single image.
    """
    rows = max(CHUNK_BYTES // max(pixels[:1].nbytes, 1), 1)
    for first in range(0, len(pixels), rows):
        yield np.asarray(pixels[first : first + rows])  # a plain view: those of memory maps are slow to take apart
