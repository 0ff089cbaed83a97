"""Classes of very different sizes: when that matters, and how much each image counts then."""

from __future__ import annotations

import numpy as np

IMBALANCE = 5.0  # largest class to smallest, from which on the balance of classes matters
MOST_WEIGHT = 10.0  # of an image: one that counts for more than a few others makes a step of its own


def imbalance(counts: np.ndarray) -> float:
    """Returns how many times as large as the smallest class the largest is; infinite where one has no images.

    Args:
        counts: int [classes].
    """
    smallest = int(counts.min())
    return float(counts.max() / smallest) if smallest else float("inf")


def class_weights(counts: np.ndarray) -> tuple[float, ...] | None:
    """Returns how much an image of each class counts, so that all classes count alike; None where they nearly do.

    Args:
        counts: int [classes], images to train on.

    Returns:
        Weights whose mean over the images is 1; none is more than `MOST_WEIGHT` times what it would be without.
    """
    if imbalance(counts) <= IMBALANCE:
        return None
    weights = np.minimum(counts.sum() / (len(counts) * np.maximum(counts, 1)), MOST_WEIGHT)
    weights *= counts.sum() / (weights * counts).sum()
    return tuple(round(float(weight), 6) for weight in weights)
