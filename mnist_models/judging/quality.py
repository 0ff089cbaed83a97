"""How good probabilities are, beyond how often the highest is right: balance, calibration, first few, curves."""

from __future__ import annotations

import numpy as np

from mnist_models.foundation.records import Record
from mnist_models.inspection.area import area_under_curve, interval_95
from mnist_models.judging.scores import ClassScore, balanced_accuracy, macro_f1, wilson_interval

BINS = 15  # of calibration, as in Guo et al. 2017
FIRST = 5  # guesses that count, where there are many classes
MANY_CLASSES = 10  # above which they do
CURVE_POINTS = 200  # at most


class Bin(Record):
    """The images whose highest probability lies in a fifteenth of 0..1: how many, how sure, how often right."""

    count: int
    confidence: float
    accuracy: float


class Calibration(Record):
    """Whether what is called 90 % is right nine times of ten.

    Attributes:
        ece: Expected calibration error: mean difference of confidence and accuracy over the bins (Naeini et al. 2015).
        bins: From 0 to 1; those without images are left out.
    """

    ece: float
    bins: tuple[Bin, ...]


class FirstGuesses(Record):
    """How often the truth is among the few most probable classes, with its 95 % Wilson interval."""

    guesses: int
    accuracy: float
    wilson_95: tuple[float, float]


class Curves(Record):
    """Two classes told apart at every threshold; class 1 is what is looked for.

    Attributes:
        roc_auc: Area under the ROC curve.
        roc_auc_95: Its 95 % interval (DeLong et al. 1988).
        average_precision: Mean precision over the recalls, a step for each image of class 1.
        roc: (false positive rate, true positive rate), from (0, 0) to (1, 1).
        precision_recall: (recall, precision), by rising recall.
    """

    roc_auc: float
    roc_auc_95: tuple[float, float]
    average_precision: float
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]


class Quality(Record):
    """Figures for data whose classes are not alike.

    Attributes:
        balanced_accuracy: Mean recall of the classes.
        macro_f1: Mean F1 of the classes.
        calibration: Of the highest probabilities.
        first: For more than ten classes, else None.
        curves: For two classes that both have two images at least, else None.
    """

    balanced_accuracy: float
    macro_f1: float
    calibration: Calibration
    first: FirstGuesses | None = None
    curves: Curves | None = None


def quality(probabilities: np.ndarray, labels: np.ndarray, per_class: tuple[ClassScore, ...]) -> Quality:
    """Judges probabilities.

    Args:
        probabilities: float64 [n, classes].
        labels: Integers [n], from 0 to classes - 1.
        per_class: Figures of each class.
    """
    classes = probabilities.shape[1]
    both = classes == 2 and min(score.count for score in per_class) > 1
    return Quality(
        balanced_accuracy=balanced_accuracy(per_class),
        macro_f1=macro_f1(per_class),
        calibration=calibration(probabilities, labels),
        first=first_guesses(probabilities, labels) if classes > MANY_CLASSES else None,
        curves=curves(probabilities[:, 1], labels) if both else None,
    )


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """Compares how sure predictions are with how often they are right.

    Args:
        probabilities: float64 [n, classes].
        labels: Integers [n].
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    sure, correct = (np.bincount(places, values, minlength=BINS) for values in (confidence, right))
    bins = tuple(
        Bin(count=int(count), confidence=float(c / count), accuracy=float(a / count))
        for count, c, a in zip(counts, sure, correct, strict=True)
        if count
    )
    return Calibration(ece=float(np.abs(sure - correct).sum() / len(labels)), bins=bins)


def first_guesses(probabilities: np.ndarray, labels: np.ndarray) -> FirstGuesses:
    """Counts how often the truth is among the five most probable classes; of equal ones, those before it count first.

    Args:
        probabilities: float64 [n, classes].
        labels: Integers [n].
    """
    guesses = np.argsort(-probabilities, axis=1, kind="stable")[:, :FIRST]
    hits = int((guesses == labels[:, np.newaxis]).any(axis=1).sum())
    return FirstGuesses(guesses=FIRST, accuracy=hits / len(labels), wilson_95=wilson_interval(hits, len(labels)))


def curves(scores: np.ndarray, labels: np.ndarray) -> Curves:
    """Draws both curves of two classes.

    Args:
        scores: float64 [n], probability of class 1.
        labels: Integers [n], 0 or 1, at least two of each.
    """
    thresholds = np.unique(scores)[::-1]
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    hits, alarms = (len(group) - np.searchsorted(group, thresholds) for group in (positive, negative))
    recall, precision = hits / len(positive), hits / (hits + alarms)
    area, error = area_under_curve(positive, negative)
    return Curves(
        roc_auc=area,
        roc_auc_95=interval_95(area, error),
        average_precision=float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        roc=_points(np.concatenate([[0.0], alarms / len(negative)]), np.concatenate([[0.0], recall])),
        precision_recall=_points(recall, precision),
    )


def _points(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Pairs, no more of them than a curve needs."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return tuple((float(a), float(b)) for a, b in zip(x[kept], y[kept], strict=True))
