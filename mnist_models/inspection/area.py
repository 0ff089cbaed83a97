"""The area under a ROC curve, with its error."""

from __future__ import annotations

import math

import numpy as np

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """Returns the area under the ROC curve and its standard error (DeLong et al. 1988).

    Args:
        positive: Scores of those that should have high ones, float [n], at least two.
        negative: Scores of the others, float [m], at least two.
    """
    above, below = _shares_below(positive, negative), _shares_below(-negative, -positive)
    variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    return float(above.mean()), math.sqrt(variance)


def interval_95(area: float, error: float) -> tuple[float, float]:
    """Returns the 95 % confidence interval of an area, within 0 and 1."""
    return max(area - Z_95 * error, 0.0), min(area + Z_95 * error, 1.0)


def _shares_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value, the share of the others that are lower; equal ones count half."""
    ranked = np.sort(others)
    lower, upper = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    shares: np.ndarray = (lower + upper) / (2 * len(others))
    return shares
