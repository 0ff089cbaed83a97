"""A part of a source, read once: its labels and keys in memory, its pixels on disk, roughly in order.

Sorting a data set larger than memory takes two passes: images go to buckets by the first bits of their keys; then
each bucket is small enough to be put in order in memory. Files have no name: whatever ends the process, none is left.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from mnist_models.data.classes import Classes
from mnist_models.data.keys import content_keys, row_keys
from mnist_models.sources.source import ImageShape, Part, rows_of_a_chunk

BUCKET_BYTES = 2**25
MOST_BUCKET_BITS = 8  # more would be too many open files


@dataclass(frozen=True)
class Spool:
    """One part, read.

    Attributes:
        shape: Of an image.
        keys: uint64 [n], by which images are ordered.
        labels: int32 [n], numbers that `Classes` gave; -1 where there are none.
        groups: int32 [n], or None where images are not grouped.
        buckets: The files of pixels, in the order of their images' keys.
        bits: Of a key, that say in which.
    """

    shape: ImageShape
    keys: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    buckets: tuple[IO[bytes], ...]
    bits: int

    def __len__(self) -> int:
        return len(self.keys)

    def order(self) -> np.ndarray:
        """Returns the images' numbers, int64 [n], by content; labels and groups decide between equal ones."""
        ties = (self.labels,) if self.groups is None else (self.groups, self.labels)
        return np.lexsort((*ties, self.keys))

    def images(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the pixels of all images in an order, chunk after chunk.

        Args:
            order: From `order`; any other where there is one bucket only.
        """
        sizes = np.bincount(_buckets(self.keys, self.bits), minlength=len(self.buckets))
        first = 0
        for file, size in zip(self.buckets, sizes, strict=True):
            wanted = order[first : first + size]
            first += size
            file.seek(0)
            pixels = np.frombuffer(file.read(), np.uint8).reshape(size, *self.shape)
            places = np.searchsorted(np.sort(wanted), wanted)  # images lie in a bucket as they came
            rows = rows_of_a_chunk(self.shape)
            for start in range(0, int(size), rows):
                yield pixels[places[start : start + rows]]

    def close(self) -> None:
        """Gives the disk's space back."""
        for file in self.buckets:
            file.close()


def read_part(
    part: Part, shape: ImageShape, folder: Path, names: Classes, groups: Classes, *, as_it_comes: bool = False
) -> Spool:
    """Reads a part.

    Args:
        part: What to read.
        shape: Of its images.
        folder: On which disk to keep pixels.
        names: Collects the names of classes.
        groups: Collects those of groups.
        as_it_comes: Keep the order of the source, instead of one by content.

    Raises:
        DataError: If what is read is not what was expected.
        OSError: If the disk is full.
    """
    bits = _bits(part.most * int(np.prod(shape)))
    buckets = tuple(tempfile.TemporaryFile(dir=folder) for _ in range(2**bits))  # noqa: SIM115
    spool = _Spooled(part.most, buckets, bits, as_it_comes)
    try:
        for chunk in part.chunks():
            labels = np.full(len(chunk.images), -1, np.int32) if chunk.labels is None else names.add(chunk.labels)
            spool.add(chunk.images, labels, None if chunk.groups is None else groups.add(chunk.groups))
    except BaseException:
        for file in buckets:
            file.close()
        raise
    return spool.finished(shape)


class _Spooled:
    """What was read so far."""

    def __init__(self, most: int, buckets: tuple[IO[bytes], ...], bits: int, as_it_comes: bool) -> None:
        self.most, self.buckets, self.bits, self.as_it_comes = most, buckets, bits, as_it_comes
        self.count = 0
        self.keys: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self.groups: list[np.ndarray] = []

    def add(self, images: np.ndarray, labels: np.ndarray, groups: np.ndarray | None) -> None:
        keys = row_keys(self.count, len(images), self.most) if self.as_it_comes else content_keys(images)
        self.count += len(images)
        self.keys.append(keys)
        self.labels.append(labels)
        if groups is not None:
            self.groups.append(groups)
        numbers = _buckets(keys, self.bits)
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers, minlength=len(self.buckets)))
        pixels = np.ascontiguousarray(images if len(self.buckets) == 1 else images[order])
        first = 0
        for file, end in zip(self.buckets, ends, strict=True):
            if end > first:
                file.write(pixels[first:end].reshape(-1).data)
            first = end

    def finished(self, shape: ImageShape) -> Spool:
        groups = np.concatenate(self.groups) if self.groups else None
        keys = np.concatenate([np.empty(0, np.uint64), *self.keys])
        labels = np.concatenate([np.empty(0, np.int32), *self.labels])
        return Spool(shape, keys, labels, groups, self.buckets, self.bits)


def _bits(size: int) -> int:
    """Of a key, that make buckets small enough."""
    return min(max(int(np.ceil(np.log2(max(size, 1) / BUCKET_BYTES))), 0), MOST_BUCKET_BITS)


def _buckets(keys: np.ndarray, bits: int) -> np.ndarray:
    return (keys >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(keys), np.int64)
