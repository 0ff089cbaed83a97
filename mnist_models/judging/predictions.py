"""What the final model says of images whose labels nobody told: predicted, not judged."""

from __future__ import annotations

import csv
import io

import numpy as np

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.members import build_member, predict
from mnist_models.training.result import TrainingResult

COLUMNS = ("ImageId", "Label")  # as Kaggle takes them


class Predictions(SealedRecord):
    """A CSV with the number of each image, from 1 in the source's order, and the name of the class it is taken for."""

    file: FileReference


def predict_unlabelled(
    members: list[TrainingResult], dataset: DatasetReference, root: Address, *, key: str
) -> Predictions:
    """Predicts the images without labels by the average of the members' probabilities.

    Args:
        members: Trainings with weights.
        dataset: The data set they were trained on, with unlabelled images.
        root: The store's address.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a member's weights or the data set are damaged.
    """
    store = Store(root)
    images = read_split(store, dataset, "unlabelled")
    total = np.zeros((len(images), dataset.classes))
    for member in members:
        total += predict(build_member(store, member, dataset), images.x)
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((number, dataset.names[label]) for number, label in enumerate(total.argmax(axis=1), 1))
    return Predictions(key=key, file=store.write(f"predictions/{key}.csv", content.getvalue().encode()))
