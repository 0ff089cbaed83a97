"""Arrays: an .npz with images and labels, under the names of Keras or of MedMNIST."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnist_models.sources.limits import check_file, check_ratio, check_shape, fill
from mnist_models.sources.source import Chunk, DataError, ImageShape, Options, Part, PartName, Source, rows_of_a_chunk

NAMES: tuple[dict[PartName, tuple[str, str]], ...] = (
    {"train": ("x_train", "y_train"), "validation": ("x_valid", "y_valid"), "test": ("x_test", "y_test")},
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
FAILURES = (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, MemoryError)


def open_arrays(path: Path, options: Options) -> Source:
    """Describes an .npz: all but its images is read.

    Raises:
        DataError: If it is not an .npz, lacks an array, or holds another dtype or shape than images and labels have.
    """
    check_file(path)
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: expected an .npz file. Received: a file of another kind, or one cut short.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
    except FAILURES as error:
        raise DataError(f"{path}: expected an .npz file. Received: one that cannot be read ({error}).") from error
    names = _names(path, members)
    shapes = {x: _image_shape(path, x, options) for x, _ in names.values()}
    train = shapes[names["train"][0]]
    for x, shape in shapes.items():
        if shape != train:
            raise DataError(f"{path}: expected {x} of the training images' shape {train}. Received: {shape}.")
    return Source(path, train, tuple(_part(path, part, *pair, train, options) for part, pair in names.items()))


def _names(path: Path, members: set[str]) -> dict[PartName, tuple[str, str]]:
    """The names of each part's images and labels: those of the set of names of which most are there."""
    known = max(NAMES, key=lambda names: sum(name in members for pair in names.values() for name in pair))
    for name in known["train"] + known["test"]:
        if name not in members:
            expected = ", ".join(known["train"] + known["test"])
            raise DataError(f"{path}: expected the arrays {expected}. Received: a file without {name}.")
    return {part: pair for part, pair in known.items() if members.issuperset(pair)}


def _part(path: Path, part: PartName, x: str, y: str, shape: ImageShape, options: Options) -> Part:
    labels = _read_labels(path, y)
    with _Member(path, x) as images:
        count = images.shape[0]
    if count != len(labels) or count == 0:
        raise DataError(f"{path}: expected as many labels as images in {x}. Received: {count} and {len(labels)}.")
    return Part(part, count, lambda: _chunks(path, x, labels, shape, options), labels)


def _image_shape(path: Path, name: str, options: Options) -> ImageShape:
    with _Member(path, name) as images:
        shape = images.shape
        if images.dtype != np.uint8:
            raise DataError(f"{path}: expected {name} of dtype uint8. Received: {images.dtype}.")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or 0 in shape[1:]:
        raise DataError(
            f"{path}: expected {name} of shape (n, height, width) or (n, height, width, 1 or 3). Received: {shape}."
        )
    height, width, channels = (*shape[1:], 1)[:3]
    found = (width, height, channels) if options.transposed else (height, width, channels)
    check_shape(path, name, found)
    return found


def _read_labels(path: Path, name: str) -> np.ndarray:
    with _Member(path, name) as member:
        labels = member.read_all()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: expected {name} of integers or words in one dimension. Received: {labels.dtype} {labels.shape}."
        )
    if labels.dtype.kind == "i" and len(labels) and labels.min() < 0:
        raise DataError(f"{path}: expected labels from 0. Received: {name} from {labels.min()} to {labels.max()}.")
    return labels


def _chunks(path: Path, name: str, labels: np.ndarray, shape: ImageShape, options: Options) -> Iterator[Chunk]:
    rows = rows_of_a_chunk(shape)
    with _Member(path, name) as member:
        for first in range(0, len(labels), rows):
            some = labels[first : first + rows]
            images = member.read(len(some)).reshape(len(some), *_stored_shape(shape, options))
            yield Chunk(images.swapaxes(1, 2) if options.transposed else images, some)
        member.read_end()


def _stored_shape(shape: ImageShape, options: Options) -> ImageShape:
    return (shape[1], shape[0], shape[2]) if options.transposed else shape


class _Member:
    """An array in an .npz, read from its beginning to its end; whatever is wrong with it is a `DataError`.

    Attributes:
        shape, dtype: Of the array.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    def __enter__(self) -> _Member:
        try:
            self._archive = zipfile.ZipFile(self.path)
            info = self._archive.getinfo(f"{self.name}.npy")
            check_ratio(self.path, info.compress_size, info.file_size)
            self._stream: IO[bytes] = self._archive.open(info)
            self.shape, self._fortran, self.dtype = _read_header(self._stream)
            self._check_size(info.file_size)
        except DataError:
            raise
        except FAILURES as error:
            raise self._unreadable(error) from error
        return self

    def __exit__(self, *details: object) -> None:
        self._archive.close()

    def read_all(self) -> np.ndarray:
        """Returns the whole array."""
        return self.read(self.shape[0] if self.shape else 1).reshape(self.shape)

    def read(self, rows: int) -> np.ndarray:
        """Returns the next rows, as [rows, …]."""
        if self._fortran:
            return self._read_transposed(rows)
        array = np.empty((rows, *self.shape[1:]), self.dtype)
        self._fill(array.reshape(-1).view(np.uint8).data)
        return array

    def read_end(self) -> None:
        """Reads what is left, so that the checksum is compared."""
        try:
            left = len(self._stream.read(1))
        except FAILURES as error:
            raise self._unreadable(error) from error
        if left:
            raise self._unreadable("it is longer than its header says")

    def _read_transposed(self, rows: int) -> np.ndarray:
        """What was saved column by column is read whole, once."""
        if not hasattr(self, "_whole"):
            array = np.empty(self.shape[::-1], self.dtype)
            self._fill(array.reshape(-1).view(np.uint8).data)
            self._whole, self._row = array.T, 0
        self._row += rows
        return np.ascontiguousarray(self._whole[self._row - rows : self._row])

    def _fill(self, buffer: memoryview) -> None:
        try:
            fill(self._stream, buffer)
        except FAILURES as error:
            raise self._unreadable(error) from error

    def _check_size(self, size: int) -> None:
        if self.dtype.hasobject:
            raise self._unreadable("it holds Python objects, which are never loaded")
        expected = self._stream.tell() + self.dtype.itemsize * int(np.prod(self.shape, dtype=object))
        if size != expected:
            raise self._unreadable(f"its header says {expected:,} bytes, it has {size:,}")

    def _unreadable(self, reason: Any) -> DataError:
        return DataError(
            f"{self.path}: expected {self.name} to be a plain array. Received: one that cannot be read ({reason})."
        )


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and dtype."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)
