"""Figures beyond accuracy: as published, or as scikit-learn has them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mnist_models.judging.quality import calibration, curves, first_guesses, quality
from mnist_models.judging.scores import class_scores, confusion_matrix


def predictions(classes: int, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(classes)
    labels = generator.choice(classes, count, p=generator.dirichlet(np.ones(classes)))
    logits = generator.normal(0, 1.2, (count, classes))
    logits[np.arange(count), labels] += 1.5
    probabilities = np.exp(logits)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("classes", [2, 7, 30])
def test_balance_is_that_of_scikit_learn(classes: int) -> None:
    probabilities, labels = predictions(classes)
    predicted = probabilities.argmax(axis=1)
    found = quality(probabilities, labels, class_scores(confusion_matrix(labels, predicted, classes)))
    there = np.unique(labels)
    assert found.balanced_accuracy == pytest.approx(
        metrics.recall_score(labels, predicted, labels=there, average="macro")
    )
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, labels=there, average="macro"))
    assert (found.first is not None) == (classes > 10)
    assert (found.curves is not None) == (classes == 2)


def test_calibration_error_by_hand() -> None:
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    found = calibration(sure, np.array([0, 0, 1, 1]))
    assert [(one.count, round(one.confidence, 9), round(one.accuracy, 3)) for one in found.bins] == [
        (1, 0.6, 1.0), (3, 0.9, 0.667),
    ]  # fmt: skip
    assert found.ece == pytest.approx((0.4 + 3 * (0.9 - 2 / 3)) / 4)
    assert calibration(np.eye(3), np.arange(3)).ece == 0
    nine = np.array([[0.9, 0.1]] * 10)
    both = np.concatenate([nine, 1 - nine / 2])  # one bin too sure, another not sure enough
    assert calibration(both, np.ones(20, int)).ece == pytest.approx((0.9 + 0.05) / 2)


def test_first_guesses_are_those_of_scikit_learn() -> None:
    probabilities, labels = predictions(30)
    found = first_guesses(probabilities, labels)
    assert found.accuracy == pytest.approx(
        metrics.top_k_accuracy_score(labels, probabilities, k=5, labels=np.arange(30))
    )
    assert found.wilson_95[0] < found.accuracy < found.wilson_95[1]


def test_curves_are_those_of_scikit_learn() -> None:
    probabilities, labels = predictions(2, 1_000)
    found = curves(probabilities[:, 1], labels)
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(labels, probabilities[:, 1]))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(labels, probabilities[:, 1]))
    assert found.roc[0] == (0, 0) and found.roc[-1] == (1, 1)
    assert np.trapezoid(*np.transpose(found.roc)[::-1]) == pytest.approx(found.roc_auc, abs=0.005)
    assert len(found.roc) <= 200
    assert found.precision_recall[-1][0] == 1
