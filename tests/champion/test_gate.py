"""The gate's statistics and rules: what it shows, how often it is wrong, and why it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from mnist_models.champion.gate import Rules, mismatch, objections, shown
from mnist_models.champion.measuring import calibration_error
from mnist_models.champion.paired import Paired, compare_paired, exact_mcnemar, score_interval
from mnist_models.champion.record import Champion
from mnist_models.foundation.store import Store
from tests.champion.examples import challenger, figures
from tests.examples import dataset

RULES = Rules(margin=0.0005, slack=2.0)
STATED_RATE = 0.026  # docs/serving.md


def test_the_interval_is_as_published() -> None:
    """Bentur et al. 2009, as in Fagerland, Lydersen and Laake 2017, table 8.9: 1 and 7 of 21 differ."""
    assert score_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_mcnemar_is_exact() -> None:
    assert exact_mcnemar(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)
    assert exact_mcnemar(0, 0) == 1
    assert exact_mcnemar(5, 5) == 1


COUNTS = st.integers(0, 60)


@settings(deadline=None)
@given(COUNTS, COUNTS, st.integers(200, 20_000))
def test_the_interval_holds_the_difference_and_turns_with_its_sides(gained: int, lost: int, images: int) -> None:
    low, high = score_interval(gained, lost, images)
    assert low <= (gained - lost) / images <= high
    assert score_interval(lost, gained, images) == pytest.approx((-high, -low), abs=1e-9)


@settings(deadline=None)
@given(COUNTS, st.integers(1, 60), st.integers(200, 20_000))
def test_to_be_better_is_never_worse(gained: int, lost: int, images: int) -> None:
    low, _ = score_interval(gained, lost, images)
    assert score_interval(gained + 1, lost, images)[0] > low
    assert score_interval(gained, lost - 1, images)[0] > low


@pytest.mark.parametrize("images", [500, 5_000, 10_000])
@pytest.mark.parametrize("lost", [0.0008, 0.002, 0.01])
def test_one_that_is_worse_by_the_margin_is_promoted_at_most_at_the_stated_rate(images: int, lost: float) -> None:
    """1,000 simulated pairs of models, the challenger's true accuracy lower by just the margin."""
    generator = np.random.default_rng([images, int(1e4 * lost)])
    promoted = sum(promotes(simulate(generator, images, lost - RULES.margin, lost)) for _ in range(1000))
    assert promoted <= binom.ppf(0.999, 1000, STATED_RATE)
    much_worse = sum(promotes(simulate(generator, images, lost / 4, 3 * lost)) for _ in range(100))
    assert much_worse <= 5


@pytest.mark.parametrize("images", [500, 5_000, 10_000, 50_000])
@pytest.mark.parametrize("lost", [0.0005, 0.001, 0.003, 0.01])
def test_the_rate_is_what_is_stated_exactly(images: int, lost: float) -> None:
    """Over all outcomes, with their probabilities."""
    most = int(images * lost + 8 * math.sqrt(images * lost) + 12)
    gains = max(lost - RULES.margin, 0.0)
    of_lost = binom.pmf(range(most), images, lost)
    rate, least = 0.0, 0
    for c in range(most):
        while score_interval(least, c, images)[0] <= -RULES.margin:
            least += 1  # the more are lost, the more must be gained
        rate += of_lost[c] * binom.sf(least - 1, images - c, gains / (1 - lost))
    assert rate <= STATED_RATE


def test_one_that_is_clearly_better_is_promoted() -> None:
    generator = np.random.default_rng(1)
    assert sum(promotes(simulate(generator, 10_000, 0.005, 0.001)) for _ in range(100)) > 95


def simulate(generator: np.random.Generator, images: int, gained: float, lost: float) -> Paired:
    """A challenger and a champion who alone are right on such shares of all images there are."""
    draw = generator.random(images, np.float32)
    return compare_paired(draw >= lost, (draw < lost) | (draw >= lost + gained))


def promotes(paired: Paired) -> bool:
    return not objections(figures(), figures(), [paired], RULES)


def test_simulated_pairs_differ_as_asked() -> None:
    paired = simulate(np.random.default_rng(1), 100_000, 0.01, 0.02)
    assert paired.only_challenger == pytest.approx(1000, rel=0.1)
    assert paired.only_champion == pytest.approx(2000, rel=0.1)


BETTER = compare_paired(np.ones(10_000, bool), np.arange(10_000) >= 40)
WORSE = compare_paired(np.arange(10_000) >= 40, np.ones(10_000, bool))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"milliseconds": 6.5}, "slow"),
        ({"size": 21_000_000}, "large"),
        ({"calibration_error": 0.05}, "calibrated"),
    ],
)
def test_a_costlier_one_is_refused_with_the_reason(changes: dict[str, Any], word: str) -> None:
    old = figures(milliseconds=3.0, size=10_000_000, calibration_error=0.02)
    [reason] = objections(figures(**changes), old, [BETTER], RULES)
    assert word in reason and "2 times are allowed" in reason
    assert not objections(figures(**changes), old, [BETTER], Rules(margin=0.0005, slack=10))


def test_what_is_small_anyway_may_be_many_times_as_much() -> None:
    tiny = figures(milliseconds=0.1, size=1000, calibration_error=0.0001)
    assert not objections(figures(milliseconds=2.9, size=9_000_000, calibration_error=0.009), tiny, [BETTER], RULES)


def test_small_steps_down_do_not_add_up() -> None:
    """As good as the champion, but worse than who was champion before many such steps."""
    assert shown(BETTER, RULES.margin) and not shown(WORSE, RULES.margin)
    assert not objections(figures(), figures(), [BETTER], RULES)
    assert objections(figures(), figures(), [BETTER, WORSE], RULES)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"classes": 4}, "classes"),
        ({"class_names": ("cat", "dog", "cow")}, "cat"),
        ({"image_shape": (6, 8, 3)}, "6 × 8 × 3"),
        ({"source": "fashion.npz"}, "fashion.npz"),
    ],
)
def test_models_of_other_classes_or_images_are_never_compared(
    changes: dict[str, Any], word: str, tmp_path: Any
) -> None:
    mine: dict[str, Any] = {"classes": 3, "image_shape": (6, 8, 1), "source": "mnist.npz"}
    champion: Champion = challenger(Store(tmp_path), "model", **mine)
    assert mismatch(dataset(), champion) is None
    reason = mismatch(dataset(), challenger(Store(tmp_path), "other", **{**mine, **changes}))
    assert reason is not None and word in reason and "--champion NAME" in reason


def test_calibration_error() -> None:
    sure = np.array([[0.9, 0.1]] * 10)
    assert calibration_error(sure, np.zeros(10, int)) == pytest.approx(0.1)
    assert calibration_error(sure, np.array([0] * 9 + [1])) == pytest.approx(0)
    both = np.concatenate([sure, 1 - sure / 2])  # one bin too sure, another not sure enough
    assert calibration_error(both, np.array([1] * 10 + [1] * 10)) == pytest.approx((0.9 + 0.05) / 2)
