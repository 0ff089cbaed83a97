"""Figures of predictions: accuracy with its interval, confusion, precision and recall."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_models.foundation.records import Record
from mnist_models.inspection.area import Z_95

LOWEST_PROBABILITY = 1e-7  # keeps the logarithm of a probability finite, as Keras does


class Score(Record):
    """Accuracy and mean cross-entropy (nats) on the test set, with the accuracy's 95 % Wilson interval."""

    test_accuracy: float
    test_loss: float
    wilson_95: tuple[float, float]


class ClassScore(Record):
    """Figures of one class: precision and recall are shares of what was predicted and of what is there.

    `recall_95` is the recall's 95 % Wilson interval; from 0 to 1 where the class has no images.
    """

    label: int
    count: int
    precision: float
    recall: float
    recall_95: tuple[float, float]
    f1: float


def score(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Returns the fields of a `Score`.

    Args:
        probabilities: float64 [n, classes].
        labels: Integers [n], from 0 to classes - 1.
    """
    of_truth = np.clip(probabilities[np.arange(len(labels)), labels], LOWEST_PROBABILITY, 1)
    correct = int((probabilities.argmax(axis=1) == labels).sum())
    return {
        "test_accuracy": correct / len(labels),
        "test_loss": float(-np.log(of_truth).mean()),
        "wilson_95": wilson_interval(correct, len(labels)),
    }


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Returns the 95 % confidence interval of a share (Wilson 1927).

    Args:
        correct: Successes.
        total: Tries, at least 1.
    """
    share, z2 = correct / total, Z_95**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(center - half, 0.0), min(center + half, 1.0)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts int64 [classes, classes]; row = true class, column = predicted class."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(scores: Sequence[ClassScore]) -> float:
    """Mean recall of the classes that have images: each class counts as much, however large it is."""
    return statistics.fmean(score.recall for score in scores if score.count)


def macro_f1(scores: Sequence[ClassScore]) -> float:
    """Mean F1 of the classes that have images."""
    return statistics.fmean(score.f1 for score in scores if score.count)


def class_scores(matrix: np.ndarray) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of each class; 0 where a class was never there or never predicted."""
    scores = []
    for label, row in enumerate(matrix):
        hits, there, predicted = int(row[label]), int(row.sum()), int(matrix[:, label].sum())
        scores.append(
            ClassScore(
                label=label,
                count=there,
                precision=hits / predicted if predicted else 0.0,
                recall=hits / there if there else 0.0,
                recall_95=wilson_interval(hits, there) if there else (0.0, 1.0),
                f1=2 * hits / (there + predicted) if there + predicted else 0.0,
            )
        )
    return tuple(scores)
