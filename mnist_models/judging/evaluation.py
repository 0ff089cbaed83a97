"""The judgement: test-set figures of the final members and of their ensemble (seed, step 7)."""

from __future__ import annotations

import numpy as np

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.records import Record, SealedRecord
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.confident_learning import Doubts, Suspect, doubt, suspects
from mnist_models.judging.members import build_member, predict, set_weights
from mnist_models.judging.quality import Quality, quality
from mnist_models.judging.reserve import open_rows
from mnist_models.judging.scores import ClassScore, Score, class_scores, confusion_matrix, score
from mnist_models.training.result import TrainingResult, load_weights


class MemberScore(Score):
    """The score of one member of the ensemble."""

    seed: int


class Mistake(Record):
    """A test image that the ensemble gets wrong; `index` counts the stored test images from 0."""

    index: int
    label: int
    predicted: int
    probability: float


class FinalResult(SealedRecord):
    """What the test set says of the chosen model.

    Attributes:
        stage: The stage that validation chose.
        members: Each seed's score.
        ensemble: The score of the members' averaged probabilities.
        test_images: Number of test images that were read.
        confusion_matrix: Counts; row = true class, column = predicted class.
        per_class: One entry per class.
        quality: Figures that say more than accuracy where classes are not alike.
        mistakes: All misclassified images, the surest first.
        suspects: The most doubtful labels of the test set, the most doubtful first.
        set_aside: How many labels count as wrong by confident learning.
        without_suspects: The ensemble's score without these; None where none or all count as wrong.
    """

    stage: str
    members: tuple[MemberScore, ...]
    ensemble: Score
    test_images: int
    confusion_matrix: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScore, ...]
    quality: Quality
    mistakes: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...] = ()
    set_aside: int = 0
    without_suspects: Score | None = None


def evaluate_final(
    stage: str,
    members: list[TrainingResult],
    dataset: DatasetReference,
    root: Address,
    *,
    reserve: float = 0.0,
    key: str,
) -> FinalResult:
    """Reads the test set, once, for the members of the final model.

    Args:
        stage: The stage that validation chose.
        members: Trainings with weights of one network, one per seed.
        dataset: The data set they were trained on.
        root: The store's address.
        reserve: Share of the test images that are not read, because only the gate sees them.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a member's weights or the data set are damaged.
    """
    store = Store(root)
    test = read_split(store, dataset, "test")
    rows = open_rows(test.x, reserve)
    x, labels = test.x[rows], np.asarray(test.y[rows])
    model = build_member(store, members[0], dataset)
    probabilities = []
    for member in members:  # of one network, traced once: only the weights differ
        set_weights(model, load_weights(store, member))
        probabilities.append(predict(model, x).astype(np.float64))
    average = np.mean(probabilities, axis=0)
    matrix = confusion_matrix(labels, average.argmax(axis=1), dataset.classes)
    per_class = class_scores(matrix)
    doubts = doubt(average, labels)
    return FinalResult(
        key=key,
        stage=stage,
        members=tuple(
            MemberScore(seed=member.spec.seed, **score(p, labels))
            for member, p in zip(members, probabilities, strict=True)
        ),
        ensemble=Score(**score(average, labels)),
        test_images=len(labels),
        confusion_matrix=tuple(tuple(int(count) for count in row) for row in matrix),
        per_class=per_class,
        quality=quality(average, labels, per_class),
        mistakes=_mistakes(average, labels, rows),
        suspects=suspects(doubts, labels, lambda row: ("test", int(rows[row]))),
        set_aside=int(doubts.wrong.sum()),
        without_suspects=_score_without(doubts, average, labels),
    )


def _score_without(doubts: Doubts, probabilities: np.ndarray, labels: np.ndarray) -> Score | None:
    """The score on the images whose labels do not count as wrong."""
    kept = ~doubts.wrong
    return Score(**score(probabilities[kept], labels[kept])) if doubts.wrong.any() and kept.any() else None


def _mistakes(probabilities: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> tuple[Mistake, ...]:
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surest_first = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    return tuple(
        Mistake(
            index=int(rows[index]),
            label=int(labels[index]),
            predicted=int(predicted[index]),
            probability=float(probabilities[index, predicted[index]]),
        )
        for index in surest_first
    )
