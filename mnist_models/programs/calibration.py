"""How sure a network should be: one temperature for its logits (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

TEMPERATURES = np.geomspace(0.1, 4, 200)  # 2 % apart


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the temperature by which to divide logits for the lowest mean cross-entropy.

    Args:
        logits: float32 [n, classes].
        labels: Integers [n], from 0 to classes - 1.
    """
    losses = [_cross_entropy(logits / temperature, labels) for temperature in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    logits = logits - logits.max(axis=1, keepdims=True)
    of_truth = logits[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - of_truth))
