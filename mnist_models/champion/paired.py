"""Two models on the same images: which is better, and how sure that is."""

from __future__ import annotations

import math

import numpy as np

from mnist_models.foundation.records import Record
from mnist_models.inspection.area import Z_95

HALVINGS = 60  # of [-1, 1]: further than a float tells apart


class Paired(Record):
    """A challenger and a champion on the same images.

    Attributes:
        images: Number of images.
        only_challenger: Images that the challenger alone gets right.
        only_champion: Images that the champion alone gets right.
        difference: The challenger's accuracy less the champion's.
        interval_95: Of the difference (Tango 1998).
        p_value: Of the exact two-sided McNemar test that both are equally good.
    """

    images: int
    only_challenger: int
    only_champion: int
    difference: float
    interval_95: tuple[float, float]
    p_value: float


def compare_paired(challenger_right: np.ndarray, champion_right: np.ndarray) -> Paired:
    """Compares two models that have judged the same images.

    Args:
        challenger_right: bool [n]: which images the challenger gets right.
        champion_right: bool [n]: which the champion does.
    """
    gained = int((challenger_right & ~champion_right).sum())
    lost = int((champion_right & ~challenger_right).sum())
    images = len(challenger_right)
    return Paired(
        images=images,
        only_challenger=gained,
        only_champion=lost,
        difference=(gained - lost) / images,
        interval_95=score_interval(gained, lost, images),
        p_value=exact_mcnemar(gained, lost),
    )


def exact_mcnemar(gained: int, lost: int) -> float:
    """Returns the two-sided p-value: where both are equally good, either gains as often (McNemar 1947, exact)."""
    from scipy.stats import binomtest  # a third of a second to import

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def score_interval(gained: int, lost: int, images: int) -> tuple[float, float]:
    """Returns the 95 % interval of a difference of paired shares: all differences that a score test does not reject.

    Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design". Its ends hold what they promise even where the two hardly ever disagree.

    Args:
        gained: Images that only the first gets right.
        lost: Images that only the second gets right.
        images: All images, at least 1.
    """

    def end(sign: int) -> float:
        inside, outside = (gained - lost) / images, float(sign)
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            if abs(_score(gained, lost, images, middle)) < Z_95:
                inside = middle
            else:
                outside = middle
        return inside

    return end(-1), end(1)


def _score(gained: int, lost: int, images: int, difference: float) -> float:
    """Tango's statistic of the hypothesis that the true difference is this one; standard normal where it is."""
    linear = (2 * images - gained + lost) * difference - gained - lost
    constant = -lost * difference * (1 - difference)
    root = math.sqrt(max(linear**2 - 8 * images * constant, 0.0))
    loses = (root - linear) / (4 * images)  # the second's share under the hypothesis, by maximum likelihood
    variance = images * (2 * loses + difference * (1 - difference))
    distance = gained - lost - images * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0
