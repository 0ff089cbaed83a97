"""A preprocessed data set: its record, and its arrays read back from memory-mapped files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.records import FileReference, Record, SealedRecord
from mnist_models.foundation.store import Store

MAXIMUM_PIXEL = 255
EVALUATED_PIXELS = 2 * 250 * 28 * 28  # at a time, in float32: with more, evaluation would be what needs the most memory
MOST_EVALUATED = 250  # images
COMMONEST = 8  # sizes of pictures that are named


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


class OriginalSizes(Record):
    """What sizes pictures had that were brought to one.

    Attributes:
        different: Number of sizes.
        commonest: Height, width and number of pictures of the most frequent sizes, at most eight.
        smallest, largest: Height and width of the pictures with the fewest and the most pixels.
    """

    different: int
    commonest: tuple[tuple[int, int, int], ...]
    smallest: tuple[int, int]
    largest: tuple[int, int]

    @classmethod
    def of(cls, sizes: Mapping[tuple[int, int], int], kept: tuple[int, int]) -> OriginalSizes | None:
        """Returns the record; None where all pictures had the size that was kept, or where there are none.

        Args:
            sizes: How many pictures there were of each height and width.
            kept: Height and width that all were brought to.
        """
        if not set(sizes) - {kept}:
            return None
        ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
        by_pixels = sorted(sizes, key=lambda size: (size[0] * size[1], size))
        commonest = tuple((*size, count) for size, count in ordered[:COMMONEST])
        return cls(different=len(sizes), commonest=commonest, smallest=by_pixels[0], largest=by_pixels[-1])


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
        sizes: What sizes pictures had; None where they kept it, and where the images were no pictures.
        files: The stored arrays: x_train, y_train (training images first, validation images behind), x_test, y_test,
            and, where there are such images, x_unlabelled, in the source's order, and y_unlabelled, all -1. Where
            images come from a file each, files_train, files_test and files_unlabelled: their names, bytes.
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
    sizes: OriginalSizes | None = None
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


def training_arrays(store: Store, dataset: DatasetReference) -> dict[str, np.ndarray]:
    """Returns all that is stored of training and validation images, by the names of the files, as memory maps.

    Raises:
        DamagedFileError: If a file is missing or is not what was written.
    """
    return {
        name: np.asarray(_read_array(store, file)) for name, file in dataset.files.items() if name.endswith("_train")
    }


class FileNames:
    """What the files are called that images come from.

    Args:
        store: The store that holds the data set.
        dataset: Which data set.

    Raises:
        DamagedFileError: If a file with names is missing or is not what was written.
    """

    def __init__(self, store: Store, dataset: DatasetReference) -> None:
        known = {part: dataset.files.get(f"files_{part}") for part in ("train", "test", "unlabelled")}
        self._names = {part: _read_array(store, file) for part, file in known.items() if file}
        self._first = {"validation": ("train", dataset.train)}

    def of(self, split: str, index: int) -> str:
        """Returns the path, in the source, of a split's image; "" where that has no file of its own."""
        part, first = self._first.get(split, (split, 0))
        return os.fsdecode(bytes(self._names[part][first + index])) if part in self._names else ""


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
