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


def grouped_split(labels: np.ndarray, groups: np.ndarray, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits the rows at random into two disjoint sets that have no group in common and nearly the same mix of classes.

    Groups are dealt to so many sets alike, the large ones first, each to where it brings the mix closest to what a
    stratified split would have; the second set is the best of these. So it has large and small groups as the rest has.

    Args:
        labels: int [n].
        groups: int [n], which rows belong together.
        validation: Rows in the second set, nearly.
        seed: Of the choice.

    Returns:
        Row numbers of both, int64, each ascending; one is empty where groups are too large to be shared out.
    """
    generator = np.random.default_rng([seed, len(labels), validation])
    classes, count = int(labels.max()) + 1, int(groups.max()) + 1
    mixes = np.bincount(groups * classes + labels, minlength=count * classes).reshape(count, classes)
    missing = np.tile(stratified_counts(np.bincount(labels), validation), (round(len(labels) / max(validation, 1)), 1))
    dealt = np.zeros(count, np.int64)
    offered = generator.permutation(count)
    for group in offered[np.argsort(-mixes[offered].sum(axis=1), kind="stable")]:
        gains = missing @ mixes[group]  # by half of which the squared distance shrinks, but for what all have in common
        dealt[group] = generator.choice(np.flatnonzero(gains == gains.max()))
        missing[dealt[group]] -= mixes[group]
    chosen = (dealt == (missing**2).sum(axis=1).argmin())[groups]
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
