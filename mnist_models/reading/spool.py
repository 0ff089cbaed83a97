"""A part of a source, read once: its labels and keys in memory, its pixels where they can be read again."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnist_models.reading.classes import Classes
from mnist_models.reading.keys import content_keys, row_keys
from mnist_models.sources.source import ImageShape, Part, rows_of_a_chunk


@dataclass(frozen=True)
class Spool:
    """One part, read.

    Attributes:
        keys: uint64 [n], by which images are ordered.
        labels: int32 [n], numbers that `Classes` gave; -1 where there are none.
        groups: int32 [n], or None where images are not grouped.
        images: Reads the pixels again, chunk after chunk, in the order of the source.
    """

    keys: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    images: Callable[[], Iterator[np.ndarray]]

    def __len__(self) -> int:
        return len(self.keys)

    def order(self) -> np.ndarray:
        """Returns the images' numbers, int64 [n], by content; labels and groups decide between equal ones."""
        order = np.argsort(self.keys)
        ordered = self.keys[order]
        if (ordered[1:] != ordered[:-1]).all():
            return order
        ties = (self.labels,) if self.groups is None else (self.groups, self.labels)
        return np.lexsort((*ties, self.keys))


@contextlib.contextmanager
def read_part(
    part: Part, shape: ImageShape, folder: Path, names: Classes, groups: Classes, *, as_it_comes: bool = False
) -> Iterator[Spool]:
    """Reads a part. Pixels that are costly to read again are kept in a file, which has no name, so that none is left.

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
    with contextlib.ExitStack() as stack:
        file = None if part.rereadable else stack.enter_context(tempfile.TemporaryFile(dir=folder))
        keys, labels, grouped, count = [], [], [], 0
        thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="keys"))
        for chunk in part.chunks():
            size = len(chunk.images)
            keys.append(_keys(thread, chunk.images, count, part.most, as_it_comes))
            if file is not None:
                file.write(np.ascontiguousarray(chunk.images).reshape(-1).data)
            labels.append(np.full(size, -1, np.int32) if chunk.labels is None else names.add(chunk.labels))
            if chunk.groups is not None:
                grouped.append(groups.add(chunk.groups))
            count += size
            if len(keys) > 1:
                keys[-2].result()  # chunks wait for their keys, but not in heaps
        yield Spool(
            np.concatenate([np.empty(0, np.uint64), *(key.result() for key in keys)]),
            np.concatenate([np.empty(0, np.int32), *labels]),
            np.concatenate(grouped) if grouped else None,
            (lambda: _kept(file, count, shape)) if file else lambda: (chunk.images for chunk in part.chunks()),
        )


def _keys(thread: ThreadPoolExecutor, images: np.ndarray, first: int, most: int, as_it_comes: bool) -> Future[Any]:
    if as_it_comes:
        return thread.submit(row_keys, first, len(images), most)
    return thread.submit(content_keys, images)


def _kept(file: IO[bytes], count: int, shape: ImageShape) -> Iterator[np.ndarray]:
    rows, size = rows_of_a_chunk(shape), int(np.prod(shape))
    file.seek(0)
    for first in range(0, count, rows):
        some = min(rows, count - first)
        yield np.frombuffer(file.read(some * size), np.uint8).reshape(some, *shape)
