"""A preprocessed data set: its record, and its arrays read back from memory-mapped files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Store

MAXIMUM_PIXEL = 255
EVALUATED_PIXELS = 2 * 250 * 28 * 28  # at a time, in float32: with more, evaluation would be what needs the most memory
MOST_EVALUATED = 250  # images


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Attributes:
        x: uint8 [n, height, width, channels], as stored; `scale` makes what a network is fed.
        y: int32 [n], from 0 to classes - 1.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def first(self, count: int | None) -> Images:
        """The first images; all where `count` is None."""
        return Images(x=self.x[:count], y=self.y[:count])


class DatasetReference(SealedRecord):
    """A preprocessed data set in the store.

    Attributes:
        fingerprint: SHA-256 of all that a run sees: the stored arrays, how they are split, the names of classes.
        source: File name of the source.
        image_shape: (height, width, channels).
        classes: Number of classes.
        class_names: Of each class, in the order of their numbers; empty where they are their numbers.
        train, validation, test: Number of images of each split.
        unlabelled: Number of images whose labels are not known: predicted, not judged.
        left_out: Name and reason of each picture that could not be read.
        files: The stored arrays: x_train, y_train (training images first, validation images behind), x_test, y_test,
            and, where there are such images, x_unlabelled, in the source's order, and y_unlabelled, all -1.
    """

    fingerprint: str
    source: str
    image_shape: tuple[int, int, int]
    classes: int
    class_names: tuple[str, ...] = ()
    train: int
    validation: int
    test: int
    unlabelled: int = 0
    left_out: tuple[str, ...] = ()
    files: dict[str, FileReference]

    @property
    def names(self) -> tuple[str, ...]:
        """What people call the classes."""
        return self.class_names or tuple(str(label) for label in range(self.classes))


def read_split(store: Store, dataset: DatasetReference, split: str) -> Images:
    """Returns a split's images as views of memory-mapped files.

    Args:
        store: The store that holds the data set.
        dataset: Which data set.
        split: "train", "validation", "train+validation", "test", or, where there are such images, "unlabelled".

    Raises:
        ValueError: If there is no such split.
        DamagedFileError: If a file is missing or is not what was written.
    """
    bounds = {
        "train": ("train", slice(0, dataset.train)),
        "validation": ("train", slice(dataset.train, None)),
        "train+validation": ("train", slice(None)),
        "test": ("test", slice(None)),
    }
    if dataset.unlabelled:
        bounds["unlabelled"] = ("unlabelled", slice(None))
    if split not in bounds:
        raise ValueError(f"Expected a split out of {', '.join(bounds)}. Received: {split!r}")
    part, rows = bounds[split]
    x, y = (_read_array(store, dataset.files[f"{axis}_{part}"]) for axis in "xy")
    return Images(x=x[rows], y=y[rows])


def count_labels(store: Store, dataset: DatasetReference) -> np.ndarray:
    """Returns the number of training images of each class, int64 [classes].

    Raises:
        DamagedFileError: If the file of labels is missing or is not what was written.
    """
    labels = _read_array(store, dataset.files["y_train"])[: dataset.train]
    return np.bincount(labels, minlength=dataset.classes)


def scale(pixels: np.ndarray) -> np.ndarray:
    """Maps uint8 pixels 0..255 to float32 in [0, 1], in the same shape."""
    return pixels.astype(np.float32) / np.float32(MAXIMUM_PIXEL)


def forget(store: Store, dataset: DatasetReference) -> None:
    """Gives back the memory maps of a data set whose files are removed."""
    for reference in dataset.files.values():
        _verified.pop((store.root / reference.path, reference.sha256), None)


def evaluation_batch(image_shape: tuple[int, int, int]) -> int:
    """Returns how many images of a shape are evaluated at a time: 250, or fewer where they are large."""
    height, width, _ = image_shape
    return min(MOST_EVALUATED, max(EVALUATED_PIXELS // (height * width), 1))


_verified: dict[tuple[Path, str], np.ndarray] = {}  # arrays this process has already checked


def _read_array(store: Store, reference: FileReference) -> np.ndarray:
    known = (store.root / reference.path, reference.sha256)
    if known not in _verified:
        path = store.verify(reference)
        try:
            _verified[known] = np.load(path, mmap_mode="c", allow_pickle=False)  # TensorFlow shares no read-only memory
        except ValueError as error:
            raise DamagedFileError(path, str(error)) from error
    return _verified[known]
