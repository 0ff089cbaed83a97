"""What networks think of labels that they were not trained on: each image is judged by one that never saw it.

The training and validation images are dealt out into folds; for each, a network is trained on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference, forget, read_split
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Address, Store
from mnist_models.inspection.chunks import Split
from mnist_models.inspection.selection import select_rows
from mnist_models.judging.confident_learning import Suspect, doubt, suspects
from mnist_models.judging.members import build_member, predict
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec


class FoldFailedError(RuntimeError):
    """A network that was to judge labels could not be trained."""


class FoldResult(SealedRecord):
    """What a network thinks of the images of a fold.

    Attributes:
        probabilities: float32 [images of the fold, classes], an .npy file.
        seconds: Spent training.
    """

    probabilities: FileReference
    seconds: float


class LabelReport(SealedRecord):
    """What is thought of the labels of the training and validation images.

    Attributes:
        folds: Networks that judged, each trained without a part of the images.
        images: Number of labels judged.
        accuracy: Share of the images that the networks take for what they are labelled as.
        wrong: Number of labels that count as wrong by confident learning.
        suspects: The most doubtful labels, the most doubtful first.
    """

    folds: int
    images: int
    accuracy: float
    wrong: int
    suspects: tuple[Suspect, ...]


def judge_fold(
    spec: TrainingSpec,
    dataset: DatasetReference,
    number: int,
    folds: int,
    root: Address,
    *,
    key: str,
    checkpoint: str,
) -> FoldResult:
    """Trains a network on all folds but one, and asks it about that one.

    Args:
        spec: The training, with the split "train+validation".
        dataset: What to deal out.
        number: Of the fold, from 0.
        folds: How many there are.
        root: The store's address.
        key: Cache key that the record carries.
        checkpoint: File below the root that holds the state after each epoch.

    Raises:
        FoldFailedError: If a loss was not finite.
        DamagedFileError: If a file of the data set is missing or is not what was written.
    """
    store = Store(root)
    images = read_split(store, dataset, "train+validation")
    fold = deal_out(np.asarray(images.y), folds)
    others = select_rows(store, dataset, np.flatnonzero(fold != number), validation=0, key=key)
    result = fit(spec, others, root, key=key, checkpoint=checkpoint, keep_weights=True)
    if result.failure or result.weights is None:
        raise FoldFailedError(f"fold {number + 1} of {folds}: {result.failure}; try another seed, or --label-folds 0")
    probabilities = predict(build_member(store, result, others), images.x[fold == number])
    file = store.write_array(f"looks/folds/{key}.npy", probabilities)
    for path in (Path(others.files["x_train"].path).parent, result.weights.path, checkpoint):
        store.remove(path)
    forget(store, others)
    return FoldResult(key=key, probabilities=file, seconds=result.seconds)


def deal_out(labels: np.ndarray, folds: int) -> np.ndarray:
    """Returns the fold of each image, int64 [n]: each class is dealt out evenly.

    Args:
        labels: Integers [n].
        folds: How many.
    """
    order = np.argsort(labels, kind="stable")
    firsts = np.searchsorted(labels[order], labels[order])
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = (np.arange(len(labels)) - firsts) % folds
    return fold


def judge_labels(results: Sequence[FoldResult], dataset: DatasetReference, root: Address, *, key: str) -> LabelReport:
    """Judges all labels by what the networks of all folds think.

    Args:
        results: Of each fold, in their order.
        dataset: What was dealt out.
        root: The store's address.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a file is missing or is not what was written.
    """
    store = Store(root)
    labels = np.asarray(read_split(store, dataset, "train+validation").y)
    fold = deal_out(labels, len(results))
    probabilities = np.empty((len(labels), dataset.classes), dtype=np.float32)
    for number, result in enumerate(results):
        probabilities[fold == number] = np.load(store.verify(result.probabilities), allow_pickle=False)

    def place(row: int) -> tuple[Split, int]:
        return ("train", row) if row < dataset.train else ("validation", row - dataset.train)

    doubts = doubt(probabilities, labels)
    return LabelReport(
        key=key,
        folds=len(results),
        images=len(labels),
        accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        wrong=int(doubts.wrong.sum()),
        suspects=suspects(doubts, labels, place),
    )
