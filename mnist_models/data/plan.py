"""Which image goes where: to training, validation or test, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mnist_models.data.split import grouped_split, stratified_split
from mnist_models.reading.contents import MINIMUM_PER_CLASS, Contents
from mnist_models.sources.source import DataError, PartName

VALIDATION_SHARE = 6  # one training image in six validates: 10,000 of MNIST's 60,000
TEST_SHARE = 6  # of a data set without labelled test images
UNUSED, TRAIN, VALIDATION, TEST, UNLABELLED = -1, 0, 1, 2, 3


@dataclass(frozen=True)
class Placed:
    """The images of a part.

    Attributes:
        order: int64 [n], their numbers in the order in which they are kept.
        labels: int32 [n], in that order.
        places: int8 [n], which split each belongs to.
    """

    order: np.ndarray
    labels: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class _Rows:
    """Labels and groups of a part, in the order in which it is kept."""

    contents: Contents
    labels: np.ndarray
    groups: np.ndarray | None

    def split(self, rows: np.ndarray, share: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Splits one in `share` off, stratified, and no group in two; numbers of rows, ascending."""
        if self.groups is None:
            rest, chosen = stratified_split(self.labels[rows], len(rows) // share, seed)
        else:
            rest, chosen = grouped_split(self.labels[rows], self.groups[rows], len(rows) // share, seed)
            self._check(rows[rest], rows[chosen])
        return rows[rest], rows[chosen]

    def subset(self, rows: np.ndarray, count: int | None, seed: int, minimum: int = MINIMUM_PER_CLASS) -> np.ndarray:
        """A stratified subset of some rows; all of them where `count` is None or not smaller."""
        if count is None or count >= len(rows):
            return rows
        labels = self.labels[rows]
        _, chosen = stratified_split(labels, count, seed)
        smallest = int(np.bincount(labels[chosen], minlength=int(labels.max()) + 1).min())
        if smallest < minimum:
            raise DataError(
                f"{self.contents.source.path}: expected --images to leave at least {minimum} examples of each class. "
                f"Received: {count}, which leaves {smallest}."
            )
        kept: np.ndarray = rows[chosen]
        return kept

    def _check(self, rest: np.ndarray, chosen: np.ndarray) -> None:
        names, path = self.contents.names, self.contents.source.path
        counts = np.bincount(self.labels[rest], minlength=len(names))
        if not len(chosen) or not counts.min():
            lost = f"class {names[int(counts.argmin())]} is in too few groups" if len(chosen) else "they are too large"
            raise DataError(f"{path}: expected groups that can be shared out between the splits. Received: {lost}.")


def plan(contents: Contents, images: int | None, seed: int) -> Mapping[PartName, Placed]:
    """Decides for every image where it goes.

    Args:
        contents: What was read.
        images: Number of training and validation images to use, stratified, and a sixth of it to test; None for all.
        seed: Of all that is drawn.

    Raises:
        DataError: If a subset would lack examples of a class, or groups cannot be shared out.
    """
    spools = contents.spools
    orders = {part: spool.order() for part, spool in spools.items()}
    labels = {part: spools[part].labels[order] for part, order in orders.items()}
    places = {part: np.full(len(order), UNUSED, np.int8) for part, order in orders.items()}
    rows = {
        part: _Rows(contents, labels[part], None if spool.groups is None else spool.groups[orders[part]])
        for part, spool in spools.items()
    }
    train = np.arange(len(labels["train"]))
    tested = None if images is None else max(images // VALIDATION_SHARE, len(contents.names))
    if "test" in spools and not contents.unlabelled:
        test = rows["test"].subset(np.arange(len(labels["test"])), tested, seed, minimum=0)
        places["test"][test] = TEST
    else:
        train, test = rows["train"].split(train, TEST_SHARE, seed)
        places["train"][rows["train"].subset(test, tested, seed, minimum=0)] = TEST
    if contents.unlabelled:
        places["test"][:] = UNLABELLED
    if "validation" in spools:
        validating = None if images is None else images // VALIDATION_SHARE
        validation = rows["validation"].subset(np.arange(len(labels["validation"])), validating, seed, minimum=0)
        places["validation"][validation] = VALIDATION
        train = rows["train"].subset(train, None if images is None else images - images // VALIDATION_SHARE, seed)
    else:
        train, validation = rows["train"].split(rows["train"].subset(train, images, seed), VALIDATION_SHARE, seed)
        places["train"][validation] = VALIDATION
    places["train"][train] = TRAIN
    return {part: Placed(order, labels[part], places[part]) for part, order in orders.items()}
