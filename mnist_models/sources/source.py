"""What every form of a data set is read as: parts, each a stream of images and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

PartName = Literal["train", "validation", "test"]
ImageShape = tuple[int, int, int]
CHUNK_BYTES = 2**22  # pixels in memory at a time, for each of those who hold a chunk


class DataError(ValueError):
    """A data set that cannot be used; the message names the file, what was expected and what came."""


@dataclass(frozen=True)
class Options:
    """How to read what is there.

    Attributes:
        image_size: Height and width to bring pictures to; None to leave that to the pictures.
        bad_images: So many unreadable pictures may be left out.
        group_column: The column of a table that names each image's group, which is never split.
        group_pattern: A regular expression that finds the group in the name of a picture's file: its first group, or
            all that it matches.
        transposed: Whether the images are stored column by column, as EMNIST's are.
    """

    image_size: int | None = None
    bad_images: int = 0
    group_column: str | None = None
    group_pattern: str | None = None
    transposed: bool = False


@dataclass(frozen=True)
class Chunk:
    """Some images, in the order of the source.

    Attributes:
        images: uint8 [k, height, width, channels].
        labels: [k], integers or strings; None where there are none.
        groups: Strings [k]; None where images are not grouped.
        files: What the file of each is called, bytes [k]; None where it has none of its own.
    """

    images: np.ndarray
    labels: np.ndarray | None
    groups: np.ndarray | None = None
    files: np.ndarray | None = None


@dataclass(frozen=True)
class Part:
    """One split of a source.

    Attributes:
        name: Which.
        most: Images, at most: what a table holds is known only when it is read.
        chunks: Reads the part, from its beginning.
        labels: All labels, where they are known before the images are read; else None.
        labelled: Whether there are labels.
    """

    name: PartName
    most: int
    chunks: Callable[[], Iterator[Chunk]]
    labels: np.ndarray | None = None
    labelled: bool = True


@dataclass(frozen=True)
class Source:
    """A data set where the user keeps it.

    Attributes:
        path: File or folder.
        shape: Height, width and channels of every image as it is read.
        parts: Those that are there; "train" always is.
        left_out: Grows as pictures are read: name and reason of each that was left out.
        sizes: How many pictures there are of each height and width, before they are brought to one; empty where the
            images are no pictures.
    """

    path: Path
    shape: ImageShape
    parts: tuple[Part, ...]
    left_out: list[str] = field(default_factory=list)
    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)


def rows_of_a_chunk(shape: ImageShape) -> int:
    """Returns how many images of a shape make a chunk."""
    return max(CHUNK_BYTES // int(np.prod(shape)), 1)
