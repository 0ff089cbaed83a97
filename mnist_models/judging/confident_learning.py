"""Labels that are probably wrong, by what networks think that were not trained on them.

Confident learning (Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels): a
label counts as wrong where another class is as probable as that class is, on average, among its own images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mnist_models.foundation.records import Record
from mnist_models.inspection.chunks import Split

SHOWN = 50  # the most doubtful labels, whether they count as wrong or not
MOST_SUSPECTS = 1_000  # that are named
CHUNK_ROWS = 50_000


class Suspect(Record):
    """An image whose label is doubtful.

    Attributes:
        split: Where it lies.
        index: Which image there, from 0.
        given: Its label.
        suggested: The most probable other class.
        score: Probability of its label less that of the suggested one, from -1 to 1.
        wrong: Whether the label counts as wrong.
    """

    split: Split
    index: int
    given: int
    suggested: int
    score: float
    wrong: bool


@dataclass(frozen=True)
class Doubts:
    """What is thought of each label.

    Attributes:
        scores: float32 [n], probability of the label less that of the best other class.
        suggested: int64 [n], that other class.
        wrong: bool [n], whether the label counts as wrong.
    """

    scores: np.ndarray
    suggested: np.ndarray
    wrong: np.ndarray

    def ranked(self) -> np.ndarray:
        """The rows worth showing, the most doubtful first: all that count as wrong, and others up to `SHOWN`."""
        order = np.argsort(self.scores, kind="stable")
        shown = np.zeros(len(order), dtype=bool)
        shown[:SHOWN] = True
        ranked: np.ndarray = order[shown | self.wrong[order]][:MOST_SUSPECTS]
        return ranked


def doubt(probabilities: np.ndarray, labels: np.ndarray) -> Doubts:
    """Judges labels by probabilities from models that were not trained on these images.

    Args:
        probabilities: float [n, classes].
        labels: Integers [n], from 0 to classes - 1.
    """
    thresholds = confidence_thresholds(probabilities, labels)
    parts = [_doubt(probabilities[rows], labels[rows], thresholds) for rows in _rows(len(labels))]
    return Doubts(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def confidence_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how probable each class is, on average, among the images that are labelled so: float64 [classes].

    A class without images has a threshold that nothing reaches.
    """
    classes = probabilities.shape[1]
    own = [probabilities[rows][np.arange(len(labels[rows])), labels[rows]] for rows in _rows(len(labels))]
    sums = np.bincount(labels, np.concatenate(own), minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts, sums / np.maximum(counts, 1), np.inf)


def suspects(doubts: Doubts, labels: np.ndarray, place: Callable[[int], tuple[Split, int]]) -> tuple[Suspect, ...]:
    """Names the most doubtful labels, the most doubtful first.

    Args:
        doubts: What is thought of the labels.
        labels: Integers [n].
        place: In which split a row lies, and which image it is there.
    """
    places = [(int(row), *place(int(row))) for row in doubts.ranked()]
    return tuple(
        Suspect(
            split=split,
            index=index,
            given=int(labels[row]),
            suggested=int(doubts.suggested[row]),
            score=float(doubts.scores[row]),
            wrong=bool(doubts.wrong[row]),
        )
        for row, split, index in places
    )


def _doubt(
    probabilities: np.ndarray, labels: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.arange(len(labels))
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    claimed = confident.argmax(axis=1)
    wrong = (confident[rows, claimed] >= 0) & (claimed != labels)
    others = np.array(probabilities, copy=True)
    others[rows, labels] = -1.0
    suggested = np.where(wrong, claimed, others.argmax(axis=1))
    scores = probabilities[rows, labels] - probabilities[rows, suggested]
    return scores.astype(np.float32), suggested, wrong


def _rows(count: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK_ROWS) for first in range(0, max(count, 1), CHUNK_ROWS))
