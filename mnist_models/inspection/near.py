"""Images that look alike: found by their hashes in buckets, and believed by their pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mnist_models.inspection.hashes import BITS

MOST_COMPARED = 4_096  # in a bucket; larger ones are compared within so many neighbours in the order of their hashes
MOST_PAIRS = 200_000  # that are looked at pixel by pixel; the most similar hashes first
ALIKE = 0.995  # correlation of pixels from which on two images count as nearly the same: MNIST's closest reach 0.991
RADII = ((200_000, 3), (5_000_000, 2))  # most images: bits in which two hashes may differ
SMALLEST_RADIUS = 1


def radius_for(images: int) -> int:
    """In how many bits two hashes of so many images may differ; more would make the buckets too large."""
    return next((radius for most, radius in RADII if images <= most), SMALLEST_RADIUS)


def close_pairs(hashes: np.ndarray, radius: int) -> np.ndarray:
    """Finds all pairs of hashes that differ in few bits, without comparing all with all.

    Of `radius + 1` bands of the bits, two such hashes have at least one in common: only those that do are compared.

    Args:
        hashes: uint64 [n].
        radius: Most bits in which two may differ.

    Returns:
        int64 [pairs, 2], each with the smaller row number first, the closest first.
    """
    found = [pairs for band in _bands(hashes, radius + 1) for pairs in _pairs_in_band(hashes, band, radius)]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0) if found else np.zeros((0, 2), dtype=np.int64)
    distances = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return pairs[np.argsort(distances, kind="stable")]


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How much the pixels of pairs of images are alike, whatever brightness and contrast: float64 [n], at most 1.

    Args:
        first: uint8 [n, height, width, channels], one of each pair.
        second: uint8 [n, height, width, channels], the other of each.
    """
    a, b = (_centred(pixels) for pixels in (first, second))
    products = np.einsum("np,np->n", a, b, dtype=np.float64)
    lengths = np.einsum("np,np->n", a, a, dtype=np.float64) * np.einsum("np,np->n", b, b, dtype=np.float64)
    return np.where(lengths > 0, products / np.sqrt(np.maximum(lengths, 1e-12)), 0.0)


def _bands(hashes: np.ndarray, count: int) -> Iterator[np.ndarray]:
    edges = np.linspace(0, BITS, count + 1).astype(int)
    for low, high in zip(edges, edges[1:], strict=False):
        yield (hashes >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)


def _pairs_in_band(hashes: np.ndarray, band: np.ndarray, radius: int) -> Iterator[np.ndarray]:
    """Compares each hash with the next in its bucket, then with the one after that, and so on."""
    order = np.lexsort((hashes, band))
    band, hashes = band[order], hashes[order]
    left = np.arange(len(order))
    for step in range(1, MOST_COMPARED):
        left = left[: np.searchsorted(left, len(order) - step)]
        left = left[band[left] == band[left + step]]
        if not len(left):
            return
        close = left[np.bitwise_count(hashes[left] ^ hashes[left + step]) <= radius]
        if len(close):
            yield np.stack([order[close], order[close + step]], axis=1)


def _centred(pixels: np.ndarray) -> np.ndarray:
    flat: np.ndarray = pixels.reshape(len(pixels), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat
