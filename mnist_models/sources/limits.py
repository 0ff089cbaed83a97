"""Bounds on what a source may ask for: sizes, compression, links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mnist_models.sources.source import DataError, ImageShape

LONGEST_SIDE = 1_024  # pixels of an image as the networks see it
MOST_PIXELS = 50_000_000  # of a picture as it is stored
MOST_FILE_BYTES = 2**28  # of a picture's file
MOST_RATIO = 200  # bytes that a compressed one may become: five for MNIST, forty for drawings, a thousand for a bomb
FREE_BYTES = 2**26  # so many are never too many
MOST_CLASSES = 10_000


def check_shape(path: Path, what: str, shape: ImageShape) -> None:
    """Checks height, width and channels of images.

    Raises:
        DataError: If there is nothing to see, too much of it, or another number of channels than 1 or 3.
    """
    height, width, channels = shape
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE and channels in (1, 3)):
        raise DataError(
            f"{path}: expected {what} of 1 to {LONGEST_SIDE} pixels a side, with 1 or 3 channels. Received: {shape}."
        )


def check_ratio(path: Path, compressed: int, plain: int) -> None:
    """Checks that decompression will not make a flood out of little.

    Args:
        path: For the message.
        compressed: Bytes as stored.
        plain: Bytes that these say they become.

    Raises:
        DataError: If they become more than any images would.
    """
    if plain > FREE_BYTES and plain > MOST_RATIO * compressed:
        raise DataError(
            f"{path}: expected compressed images of at most {MOST_RATIO} times their stored size. "
            f"Received: {compressed:,} bytes that become {plain:,}; if they are right, store them uncompressed."
        )


def check_file(path: Path) -> int:
    """Checks that there is a regular file, so that reading it ends, and returns its size in bytes.

    Raises:
        DataError: If there is none.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: expected a file. Received: {error.strerror or error}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: expected a file. Received: something else (folder, pipe or device).")
    return status.st_size


def fill(stream: IO[bytes], buffer: memoryview) -> None:
    """Reads until a buffer is full.

    Raises:
        EOFError: If the stream ends before.
    """
    done = 0
    while done < len(buffer):
        count = stream.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it is cut short")
        done += count


def files_below(folder: Path) -> Iterator[Path]:
    """Yields all files below a folder, sorted by path; hidden ones and hidden folders are passed over.

    Raises:
        DataError: If a link leads out of the folder, or to a folder, or nowhere.
    """
    root = folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if Path(place, name).is_symlink():
                raise DataError(f"{Path(place, name)}: expected a folder. Received: a link; put its pictures there.")
        for name in sorted(names):
            path = Path(place, name)
            if name.startswith("."):
                continue
            if path.is_symlink():
                _check_link(path, root)
            yield path


def _check_link(path: Path, root: Path) -> None:
    target = path.resolve()
    if not target.is_relative_to(root) or not target.is_file():
        raise DataError(f"{path}: expected a file in {root}. Received: a link to {target}; put the file itself there.")
