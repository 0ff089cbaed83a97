"""The look at a data set: all that is found before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import SealedRecord
from mnist_models.foundation.store import Address, Store
from mnist_models.inspection.census import FEW_IMAGES, IMBALANCE, SplitCensus, take_census
from mnist_models.inspection.chunks import SPLITS, Split, read_splits
from mnist_models.inspection.drift import Drift, measure_drift
from mnist_models.inspection.duplicates import Duplicates, find_duplicates


class Inspection(SealedRecord):
    """What was found in a data set.

    Attributes:
        fingerprint: Of the data set.
        splits: What each split holds: train, validation, test.
        duplicates: What is there twice.
        drift: How well training images are told from test images; None where a split is too small to say.
    """

    fingerprint: str
    splits: tuple[SplitCensus, ...]
    duplicates: Duplicates
    drift: Drift | None

    def split(self, name: Split) -> SplitCensus:
        """What a split holds."""
        return self.splits[SPLITS.index(name)]


def inspect_dataset(dataset: DatasetReference, root: Address, *, key: str) -> Inspection:
    """Looks at all images of a data set.

    Args:
        dataset: Which.
        root: The store's address.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a file of the data set is missing or is not what was written.
    """
    splits = read_splits(Store(root), dataset)
    return Inspection(
        key=key,
        fingerprint=dataset.fingerprint,
        splits=tuple(take_census(split, splits[split], dataset.classes) for split in SPLITS),
        duplicates=find_duplicates(splits),
        drift=measure_drift(splits["train"], splits["test"]),
    )


def findings(inspection: Inspection, names: tuple[str, ...]) -> list[str]:
    """Says what deserves attention, a sentence each, the worst first; nothing where all is well.

    Args:
        inspection: What was found.
        names: Of the classes.
    """
    return [*_twin_findings(inspection.duplicates), *_split_findings(inspection, names), *_drift_findings(inspection)]


def _twin_findings(duplicates: Duplicates) -> Iterator[str]:
    for count in duplicates.counts:
        if SPLITS.index(count.split) < SPLITS.index(count.other):
            yield (
                f"{_images(count.exact + count.near, count.split)} in the {count.other} set, too: "
                f"{count.exact:,} exactly, {count.near:,} nearly"
            )
    if duplicates.conflicting:
        yield f"{duplicates.conflicting:,} images have the pixels of another that has another label"
    for count in duplicates.counts:
        if count.split == count.other:
            yield (
                f"{_images(count.exact + count.near, count.split)} there more than once: "
                f"{count.exact:,} exactly, {count.near:,} nearly"
            )


def _split_findings(inspection: Inspection, names: tuple[str, ...]) -> Iterator[str]:
    for split in inspection.splits:
        if split.constant:
            yield f"{_images(len(split.constant), split.split)} of one colour, and nothing else"
    train = inspection.split("train")
    if scarce := train.scarce():
        some = ", ".join(names[label] for label in scarce[:5]) + (" …" if len(scarce) > 5 else "")
        yield f"{len(scarce)} of {len(names)} classes with fewer than {FEW_IMAGES} training images: {some}"
    if train.imbalance > IMBALANCE:
        yield f"the largest class has {train.imbalance:.1f} times as many training images as the smallest"


def _drift_findings(inspection: Inspection) -> Iterator[str]:
    drift = inspection.drift
    if drift and drift.interval_95[0] > 0.5:
        low, high = drift.interval_95
        yield f"training and test images can be told apart: area under the curve {drift.auc:.2f} ({low:.2f}–{high:.2f})"


def _images(count: int, split: Split) -> str:
    kind = "training" if split == "train" else split
    return f"{count:,} {kind} images are" if count != 1 else f"1 {kind} image is"
