"""IDX: the form in which MNIST was published, and all that came after it."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from mnist_models.sources.limits import check_file, check_ratio, check_shape, files_below, fill
from mnist_models.sources.source import Chunk, DataError, ImageShape, Options, Part, PartName, Source, rows_of_a_chunk

PARTS: dict[PartName, str] = {"train": "train", "test": "t10k"}
SPELLINGS = {"t10k": ("t10k", "test")}
UNSIGNED_BYTES = 0x08
FAILURES = (OSError, EOFError, zlib.error)


def holds_idx(folder: Path) -> bool:
    """Whether a folder holds images as IDX files."""
    return any("-images" in path.name and "idx3-ubyte" in path.name for path in folder.iterdir())


def open_idx(folder: Path, options: Options) -> Source:
    """Describes a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-…`, each with .gz or without.

    Raises:
        DataError: If a file is missing or twice there, or is not what its header says.
    """
    files = list(files_below(folder))
    parts, shapes = [], {}
    for part, prefix in PARTS.items():
        images, labels = (_find(folder, files, prefix, kind) for kind in ("images", "labels"))
        shapes[images] = _image_shape(images, options)
        parts.append(_part(part, images, labels, shapes[images], options))
    first, *others = shapes.values()
    for path, shape in shapes.items():
        if shape != first:
            raise DataError(f"{path}: expected the training images' shape {first}. Received: {shape}.")
    return Source(folder, first, tuple(parts))


def is_idx(path: Path) -> bool:
    """Whether a file is called as IDX files are, with .gz or without."""
    return path.name.removesuffix(".gz").endswith(("idx3-ubyte", "idx1-ubyte"))


def find_idx(folder: Path) -> Path:
    """Returns the file with a folder's test images, or with its training images where it has no others.

    Raises:
        DataError: If there are several, or none of either.
    """
    files = list(files_below(folder))
    tested = any(f"{spelling}-images" in path.name for spelling in SPELLINGS["t10k"] for path in files)
    return _find(folder, files, PARTS["test" if tested else "train"], "images")


def read_idx(path: Path) -> Iterator[np.ndarray]:
    """Yields each image of one file, uint8 [height, width, 1]; labels are not asked for.

    Raises:
        DataError: If it is no IDX file of images, or damaged.
    """
    shape = _image_shape(path, Options())
    for chunk in _chunks(path, None, shape, Options()):
        yield from chunk.images


def _find(folder: Path, files: list[Path], prefix: str, kind: str) -> Path:
    """The one file of a part, however it is called: EMNIST's begin with `emnist-letters-`."""
    dimensions = 3 if kind == "images" else 1
    starts = [f"{spelling}-{kind}" for spelling in SPELLINGS.get(prefix, (prefix,))]
    found = [
        path
        for path in files
        if path.name.removesuffix(".gz").endswith((f"-idx{dimensions}-ubyte", f".idx{dimensions}-ubyte"))
        and any(start in path.name for start in starts)
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"{folder}: expected one {prefix}-{kind}-idx{dimensions}-ubyte, with .gz or without. Received: {names}."
        )
    return found[0]


def _part(part: PartName, path: Path, labels_path: Path, shape: ImageShape, options: Options) -> Part:
    with _Idx(labels_path, 1) as file:
        labels = file.read(file.dimensions[0])
        file.read_end()
    with _Idx(path, 3) as file:
        count = file.dimensions[0]
    if count != len(labels) or count == 0:
        raise DataError(f"{path}: expected as many labels as images. Received: {count} images, {len(labels)} labels.")
    return Part(part, count, lambda: _chunks(path, labels, shape, options), labels)


def _image_shape(path: Path, options: Options) -> ImageShape:
    with _Idx(path, 3) as file:
        _, height, width = file.dimensions
    shape = (width, height, 1) if options.transposed else (height, width, 1)
    check_shape(path, "images", shape)
    return shape


def _chunks(path: Path, labels: np.ndarray | None, shape: ImageShape, options: Options) -> Iterator[Chunk]:
    rows = rows_of_a_chunk(shape)
    with _Idx(path, 3) as file:
        count = file.dimensions[0]
        for first in range(0, count, rows):
            images = file.read(min(rows, count - first))[..., np.newaxis]
            some = None if labels is None else labels[first : first + rows]
            yield Chunk(images.swapaxes(1, 2) if options.transposed else images, some)
        file.read_end()


class _Idx:
    """An IDX file, compressed or not, read from its beginning to its end; whatever is wrong is a `DataError`.

    Attributes:
        dimensions: Of the array of unsigned bytes in it.
    """

    def __init__(self, path: Path, rank: int) -> None:
        self.path = path
        self.rank = rank

    def __enter__(self) -> _Idx:
        stored = check_file(self.path)
        compressed = self.path.name.endswith(".gz")
        self._stream: IO[bytes] = gzip.open(self.path) if compressed else self.path.open("rb", buffering=0)  # type: ignore[assignment]
        try:
            self.dimensions = self._read_dimensions()
            plain = 4 + 4 * self.rank + int(np.prod(self.dimensions, dtype=object))
            if compressed:
                check_ratio(self.path, stored, plain)
            elif stored != plain:
                raise DataError(f"{self.path}: expected {plain:,} bytes, as its header says. Received: {stored:,}.")
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._stream.close()

    def read(self, rows: int) -> np.ndarray:
        """Returns the next rows, uint8 [rows, …]."""
        array = np.empty((rows, *self.dimensions[1:]), np.uint8)
        self._fill(array.reshape(-1).data)
        return array

    def read_end(self) -> None:
        """Reads to the end, where a compressed file has its checksum.

        Raises:
            DataError: If there is more than the header says.
        """
        try:
            left = self._stream.read(1)
        except FAILURES as error:
            raise self._unreadable(error) from error
        if left:
            raise self._unreadable("it is longer than its header says")

    def _read_dimensions(self) -> tuple[int, ...]:
        header = bytearray(4 + 4 * self.rank)
        self._fill(memoryview(header))
        zero, kind, rank, *dimensions = struct.unpack(f">HBB{self.rank}I", header)
        if (zero, kind, rank) != (0, UNSIGNED_BYTES, self.rank):
            raise DataError(
                f"{self.path}: expected an IDX file of unsigned bytes in {self.rank} dimensions (it begins with "
                f"0000080{self.rank}). Received: one that begins with {header[:4].hex()}."
            )
        return tuple(dimensions)

    def _fill(self, buffer: memoryview) -> None:
        try:
            fill(self._stream, buffer)
        except FAILURES as error:
            raise self._unreadable(error) from error

    def _unreadable(self, reason: object) -> DataError:
        return DataError(f"{self.path}: expected a whole IDX file. Received: one that cannot be read ({reason}).")
