from __future__ import annotations

import numpy as np
import pytest

from mnist_models.judging.evaluation import confusion_matrix
from mnist_models.judging.scores import class_scores, wilson_interval


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_interval_as_published(correct: int, total: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(correct, total) == pytest.approx(interval, abs=5e-5)
    low, high = wilson_interval(total - correct, total)
    assert (1 - high, 1 - low) == pytest.approx(interval, abs=5e-5)


def test_confusion_matrix_has_truth_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_class_scores() -> None:
    zero, one, two = class_scores(np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0]]))
    assert (zero.count, zero.precision, zero.recall) == (2, 1.0, 0.5)
    assert (one.count, one.precision, one.recall, one.f1) == (1, 1 / 3, 1.0, 0.5)
    assert (two.count, two.precision, two.recall, two.f1) == (1, 0.0, 0.0, 0.0)
