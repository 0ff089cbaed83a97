"""Images of a file that may be larger than memory, asked for before they are needed.

A disk serves many requests at a time, but a page fault only makes one; and in random order each fault would read
ahead what nobody wants. Which images are used, and so every result, stays the same.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

LARGE = 2**28  # bytes; smaller files stay in memory once they were verified


def ask_ahead(images: np.ndarray, order: np.ndarray, chunks: list[slice]) -> Iterator[slice]:
    """Yields the chunks, each when its images were asked for; those of the next are, meanwhile.

    Args:
        images: uint8 [n, height, width, channels], in memory or in a mapped file.
        order: Integers, which images are used.
        chunks: Of the order.
    """
    memory = _mapped(images)
    if memory is None or len(memory) < LARGE:
        yield from chunks
        return
    file = _File(memory, images)
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        try:
            memory.madvise(mmap.MADV_RANDOM)
            asked = thread.submit(file.ask, order[chunks[0]])
            for chunk, following in zip(chunks, [*chunks[1:], slice(0, 0)], strict=True):
                asked.result()
                asked = thread.submit(file.ask, order[following])
                yield chunk
        finally:
            memory.madvise(mmap.MADV_NORMAL)
            thread.shutdown()
            file.close()


class _File:
    """The file behind mapped images."""

    def __init__(self, memory: mmap.mmap, images: np.ndarray) -> None:
        self._descriptor = os.open(_path(images), os.O_RDONLY)
        self._first = images.ctypes.data - np.frombuffer(memory, np.uint8).ctypes.data
        self._size = images.strides[0]

    def ask(self, rows: np.ndarray) -> None:
        """Has the kernel read some images, as soon as the disk can."""
        for place in np.sort(self._first + rows.astype(np.int64) * self._size).tolist():
            os.posix_fadvise(self._descriptor, place, self._size, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        os.close(self._descriptor)


def _mapped(array: np.ndarray) -> mmap.mmap | None:
    """The mapped file that an array is a view of."""
    base = array.base
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _path(array: np.ndarray) -> Path:
    """Of the file that an array is a view of."""
    owner: object = array
    while not isinstance(owner, np.memmap) or owner.filename is None:
        owner = owner.base  # type: ignore[attr-defined]
    return Path(owner.filename)
