"""A part of a source, read once: its labels and keys in memory, its pixels in a file, each chunk of them in order.

So what comes next to each other in the end lies in one piece of each chunk: an external merge sort.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from mnist_models.reading.classes import Classes
from mnist_models.reading.keys import content_keys, row_keys
from mnist_models.sources.source import ImageShape, Part

AHEAD = 2  # chunks that wait for being written


@dataclass(frozen=True)
class Spool:
    """One part, read.

    Attributes:
        keys: uint64 [n], by which images are ordered.
        labels: int32 [n], numbers that `Classes` gave; -1 where there are none.
        groups: int32 [n], or None where images are not grouped.
        pixels: Of all images.
        files: What the file of each image is called, bytes [n]; None where some have none of their own.
    """

    keys: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    pixels: Pixels
    files: np.ndarray | None = None

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


class Pixels:
    """Images in a file of their own, as runs: those of a chunk, ordered by their keys.

    Args:
        file: Empty, and open.
        size: Bytes of an image.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._descriptor = file.fileno()
        self._size = size
        self._runs = [0]  # where each begins, and the end
        self._places: list[np.ndarray] = []

    def add(self, rows: np.ndarray, order: np.ndarray) -> None:
        """Appends a run.

        Args:
            rows: uint8 [k, size], already in order.
            order: Which image of the chunk each was.
        """
        places = np.empty(len(rows), np.int64)
        places[order] = np.arange(self._runs[-1], self._runs[-1] + len(rows))
        self._places.append(places)
        view, place = rows.reshape(-1).data, self._runs[-1] * self._size
        while view:
            done = os.pwrite(self._descriptor, view, place)
            view, place = view[done:], place + done
        self._runs.append(self._runs[-1] + len(rows))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Returns images, uint8 [k, size]; quick where they are neighbours by their keys.

        Args:
            numbers: int64 [k], of the images in the order of the source.
        """
        if len(self._places) != 1:
            self._places = [np.concatenate([np.empty(0, np.int64), *self._places])]
        places = self._places[0][numbers]
        order = np.argsort(places)
        ascending = places[order]
        edges = np.searchsorted(ascending, self._runs)
        used = np.flatnonzero(np.diff(edges))
        low, high = ascending[edges[used]], ascending[edges[used + 1] - 1] + 1
        starts = np.cumsum(high - low) - (high - low)
        read = self._read(low, high)
        place = np.empty(len(places), np.int64)
        place[order] = ascending + np.repeat(starts - low, np.diff(edges)[used])
        return np.take(read, place, axis=0)

    def _read(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Rows from `low` to `high`, of each run one piece, one behind the other."""
        read = np.empty((int((high - low).sum()), self._size), np.uint8)
        view, first = read.reshape(-1).data, 0
        for start, end in zip((low * self._size).tolist(), (high * self._size).tolist(), strict=True):
            while start < end:
                done = os.preadv(self._descriptor, [view[first : first + end - start]], start)
                if not done:
                    raise OSError(f"expected {end - start} bytes of pixels at {start}, found none")
                first, start = first + done, start + done
        return read


@contextlib.contextmanager
def read_part(
    part: Part, shape: ImageShape, folder: Path, names: Classes, groups: Classes, *, as_it_comes: bool = False
) -> Iterator[Spool]:
    """Reads a part. Its pixels are kept in a file, which has no name, so that none is left.

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
    keys, labels, grouped, files, count = [], [], [], [], 0
    with contextlib.ExitStack() as stack:
        pixels = Pixels(stack.enter_context(tempfile.TemporaryFile(dir=folder)), int(np.prod(shape)))
        sorter, writer = (stack.enter_context(ThreadPoolExecutor(1, f"spool-{work}")) for work in ("sort", "write"))
        waiting: deque[Future[np.ndarray]] = deque()
        for chunk in part.chunks():
            first = count if as_it_comes else None
            ordered = sorter.submit(_in_order, chunk.images, first, part.most)
            waiting.append(writer.submit(_keep, pixels, ordered))
            labels.append(np.full(len(chunk.images), -1, np.int32) if chunk.labels is None else names.add(chunk.labels))
            if chunk.groups is not None:
                grouped.append(groups.add(chunk.groups))
            if chunk.files is not None:
                files.append(chunk.files)
            count += len(chunk.images)
            if len(waiting) > AHEAD:  # chunks wait for being kept, but not in heaps
                keys.append(waiting.popleft().result())
        yield Spool(
            np.concatenate([np.empty(0, np.uint64), *keys, *(kept.result() for kept in waiting)]),
            np.concatenate([np.empty(0, np.int32), *labels]),
            np.concatenate(grouped) if grouped else None,
            pixels,
            np.concatenate(files) if sum(map(len, files)) == count > 0 else None,
        )


def _in_order(images: np.ndarray, first: int | None, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys of images, their order by these, and their pixels in that order; `first` where they keep their own."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    if first is not None:
        return row_keys(first, len(images), most), np.arange(len(images)), rows
    keys = content_keys(images)
    order = np.argsort(keys)
    return keys, order, np.take(rows, order, axis=0)


def _keep(pixels: Pixels, ordered: Future[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Writes a run, and returns the keys of its images in the order of the source."""
    keys, order, rows = ordered.result()
    pixels.add(rows, order)
    return keys
