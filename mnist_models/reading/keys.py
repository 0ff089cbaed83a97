"""Keys: 64 bits of each image's content, by which images are put into an order that every form of them has."""

from __future__ import annotations

import functools

import numpy as np

WORD = 4  # bytes
AT_ONCE = 512  # images, whose words as 64 bits stay in a core's cache


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
    words = rows.view(np.uint32)
    multipliers = _multipliers(words.shape[1])
    hashes = np.empty((len(words), 2), np.uint64)
    for some in range(0, len(words), AT_ONCE):
        np.matmul(words[some : some + AT_ONCE].astype(np.uint64), multipliers, out=hashes[some : some + AT_ONCE])
    keys: np.ndarray = (hashes[:, 0] & np.uint64(0xFFFFFFFF00000000)) | (hashes[:, 1] >> np.uint64(32))
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
def _multipliers(count: int) -> np.ndarray:
    """Of both hashes, [count, 2], from raw bits of a generator, which no version of NumPy changes."""
    bits = np.random.PCG64(1).random_raw(2 * count)
    return np.stack([bits[:count], bits[count:]], axis=1)
