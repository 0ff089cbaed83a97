"""Splits and subsets with the mix of classes of the whole."""

from __future__ import annotations

import numpy as np


def stratified_counts(available: np.ndarray, total: int) -> np.ndarray:
    """Shares out `total` over classes in proportion to what is available, by largest remainder.

    Args:
        available: int [classes], examples of each class.
        total: How many to take, at most `available.sum()`.

    Returns:
        int64 [classes], which sums to `total` and nowhere exceeds `available`; each is within one of its exact share.
    """
    everything = int(available.sum())
    if not 0 <= total <= everything:
        raise ValueError(f"Expected a number from 0 to {everything}. Received: {total}")
    products = available.astype(np.int64) * total
    counts = products // max(everything, 1)
    by_remainder = np.argsort(-(products % max(everything, 1)), kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts


def stratified_split(labels: np.ndarray, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits the rows at random into two disjoint sets with the same mix of classes.

    Args:
        labels: int [n].
        validation: Rows in the second set.
        seed: Of the choice.

    Returns:
        Row numbers, int64 [n - validation] and [validation], each ascending.
    """
    generator = np.random.default_rng([seed, len(labels), validation])
    counts = stratified_counts(np.bincount(labels), validation)
    chosen = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(counts):
        chosen[generator.permutation(np.flatnonzero(labels == label))[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
