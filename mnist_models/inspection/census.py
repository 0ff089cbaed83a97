"""What a split holds: how many images of each class, and so how much each counts; how bright they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mnist_models.data.dataset import MAXIMUM_PIXEL, Images
from mnist_models.foundation.records import Record
from mnist_models.inspection.chunks import Split, chunks

IMBALANCE = 5.0  # largest class to smallest, from which on the balance of classes matters
MOST_WEIGHT = 10.0  # of an image: one that counts for more than a few others makes a step of its own
FEW_IMAGES = 20  # of a class to train on: with fewer, its validation and its accuracy say next to nothing


class SplitCensus(Record):
    """What a split holds.

    Attributes:
        split: Its name.
        counts: Images of each class.
        brightness: Mean of all pixels of each class, in [0, 1]; 0 for a class without images.
        mean, deviation: Of each channel over all pixels, in [0, 1].
        constant: Images whose pixels are all alike, by their place in the split: they show nothing.
    """

    split: Split
    counts: tuple[int, ...]
    brightness: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    constant: tuple[int, ...]

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(self.counts)

    @property
    def imbalance(self) -> float:
        """How many times as large as the smallest class the largest is; infinite where one has no images."""
        return imbalance(np.array(self.counts))

    def scarce(self) -> tuple[int, ...]:
        """The classes with fewer than `FEW_IMAGES` images."""
        return tuple(label for label, count in enumerate(self.counts) if count < FEW_IMAGES)


def imbalance(counts: np.ndarray) -> float:
    """Returns how many times as large as the smallest class the largest is; infinite where one has no images.

    Args:
        counts: int [classes].
    """
    smallest = int(counts.min())
    return float(counts.max() / smallest) if smallest else float("inf")


def class_weights(counts: np.ndarray) -> tuple[float, ...] | None:
    """Returns how much an image of each class counts, so that all classes count alike; None where they nearly do.

    Args:
        counts: int [classes], images to train on.

    Returns:
        Weights whose mean over the images is 1; none is more than `MOST_WEIGHT` times what it would be without.
    """
    if imbalance(counts) <= IMBALANCE:
        return None
    weights = np.minimum(counts.sum() / (len(counts) * np.maximum(counts, 1)), MOST_WEIGHT)
    weights *= counts.sum() / (weights * counts).sum()
    return tuple(round(float(weight), 6) for weight in weights)


def take_census(split: Split, images: Images, classes: int) -> SplitCensus:
    """Counts and measures a split's images.

    Args:
        split: Its name.
        images: Its images.
        classes: Number of classes of the data set.
    """
    counts = np.bincount(images.y, minlength=classes)
    sums, squares, constant = _measure(images.x)
    pixels = images.x.shape[1] * images.x.shape[2] * MAXIMUM_PIXEL
    by_class = np.bincount(images.y, sums.mean(axis=1), minlength=classes) / np.maximum(counts, 1)
    mean = sums.mean(axis=0) / pixels if len(sums) else np.zeros(images.x.shape[3])
    square = squares / max(len(sums), 1) / (pixels * MAXIMUM_PIXEL)
    return SplitCensus(
        split=split,
        counts=tuple(counts.tolist()),
        brightness=tuple((by_class / pixels).tolist()),
        mean=tuple(mean.tolist()),
        deviation=tuple(np.sqrt(np.maximum(square - mean**2, 0)).tolist()),
        constant=tuple(np.flatnonzero(constant).tolist()),
    )


def _measure(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of each image's channels, [n, channels]; sum of all squares, [channels]; which images are constant, [n]."""
    parts = list(_measure_chunks(pixels))
    if not parts:
        return np.zeros((0, pixels.shape[3])), np.zeros(pixels.shape[3]), np.zeros(0, dtype=bool)
    sums, squares, constant = zip(*parts, strict=True)
    return np.concatenate(sums), np.sum(squares, axis=0), np.concatenate(constant)


def _measure_chunks(pixels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for chunk in chunks(pixels):
        flat = chunk.reshape(len(chunk), -1, chunk.shape[-1])
        values = flat.astype(np.float32)
        squares = np.einsum("npc,npc->nc", values, values).sum(axis=0, dtype=np.float64)
        constant = (flat == flat[:, :1]).all(axis=(1, 2))
        yield values.sum(axis=1, dtype=np.float64), squares, constant
