"""Keys: 64 bits of each image's content, by which images are put into an order that every form of them has."""

from __future__ import annotations

import functools

import numpy as np

WORD = 4  # bytes


def content_keys(images: np.ndarray) -> np.ndarray:
    """Returns keys of images that depend on their pixels only.

    Two multilinear hashes of 32 bits: for images that differ, keys are the same with a probability of 2^-64 over the
    choice of the multipliers (Lemire and Kaser 2014, Strongly universal string hashing is fast).

    Args:
        images: uint8 [n, height, width, channels].

    Returns:
        uint64 [n].
    """
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    if surplus := -rows.shape[1] % WORD:
        rows = np.pad(rows, ((0, 0), (0, surplus)))
    words = rows.view(np.uint32).astype(np.uint64)
    first, second = _multipliers(words.shape[1])
    keys: np.ndarray = (words @ first & np.uint64(0xFFFFFFFF00000000)) | (words @ second >> np.uint64(32))
    return keys


def row_keys(first: int, count: int, total: int) -> np.ndarray:
    """Returns keys, uint64 [count], that keep images in the order in which they come.

    Args:
        first: Number of the first of these images.
        count: Of these images.
        total: Images of the whole, at most.
    """
    return np.arange(first, first + count, dtype=np.uint64) << np.uint64(64 - max(total, 2).bit_length())


@functools.cache
def _multipliers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """From the raw bits of a generator, which never change from a version of NumPy to the next."""
    bits = np.random.PCG64(1).random_raw(2 * count)
    return bits[:count], bits[count:]
