"""Parquet, as hubs store images: a column of pictures or of pixels, and one of labels, in one file or in shards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from mnist_models.sources.decoding import BadPictureError, Look, Looks, common_shape, decode, look_at
from mnist_models.sources.limits import check_file, check_ratio, check_shape, files_below
from mnist_models.sources.pictures import SPLITS, Bad, group_finder
from mnist_models.sources.source import Chunk, DataError, ImageShape, Options, Part, PartName, Source
from mnist_models.sources.tables import class_names, is_list, is_picture, list_shape, listed_pixels, values

IMAGE, LABEL = ("image", "img"), ("label", "labels")
BATCH = 1_024  # rows at a time
FAILURES = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError)


@dataclass(frozen=True)
class _Columns:
    """Where in a table images, labels and groups are; `pictures` are decoded, else there are lists of pixels."""

    image: str
    label: str | None
    pictures: bool
    names: list[str] | None  # of the classes, where labels are numbers that count them


def open_parquet(where: Path, options: Options) -> Source:
    """Describes a file, or a folder of shards whose names or folders begin with train, test or validation.

    Looks at the header of each picture, for its size.

    Raises:
        DataError: If a file is no Parquet, or has no column of images, or more unreadable ones than allowed.
    """
    files: dict[PartName, list[Path]] = {"train": [where]} if where.is_file() else _by_part(where)
    if "train" not in files:
        names = [path.name for shards in files.values() for path in shards]
        raise DataError(f"{where}: expected shards of a training set. Received: {', '.join(names[:5])}.")
    columns = {part: _columns(shards[0], options) for part, shards in files.items()}
    if columns["train"].label is None:
        raise DataError(f"{files['train'][0]}: expected a column {' or '.join(LABEL)}. Received: none.")
    bad = Bad(where, options.bad_images)
    looks = Looks(look for part, paths in files.items() for path in paths for look in _looks(path, columns[part], bad))
    bad.check()
    bad.names.clear()  # they are met again when they are decoded
    shape = _shape(looks, columns["train"].pictures, options, where)
    parts = [
        Part(
            part,
            sum(_count(path) for path in shards),
            lambda shards=shards, part=part: _chunks(shards, columns[part], shape, bad, options),  # type: ignore[misc]
            labelled=columns[part].label is not None,
        )
        for part, shards in files.items()
    ]
    sizes = looks.sizes if columns["train"].pictures else {}
    return Source(where, shape, tuple(parts), bad.names, sizes)


def find_parquet(folder: Path) -> list[Path]:
    """Returns the shards of a folder's test images, or of its training images where it has no others."""
    files = _by_part(folder)
    return files.get("test") or files.get("train") or []


def read_parquet(path: Path) -> Iterator[np.ndarray | bytes]:
    """Yields each image of one file, labels or not: a picture's bytes, or uint8 [height, width, 1 or 3] of lists.

    Raises:
        DataError: If it is no Parquet, or has no column of images.
    """
    columns = _columns(path, Options())
    shape: ImageShape | None = None
    for batch in _batches(path, [columns.image]):
        column = batch.column(0)
        if columns.pictures:
            yield from _pictures(column)
        else:
            shape = shape or list_shape(path, column)
            check_shape(path, "images", shape)
            yield from listed_pixels(path, column, shape)


def _by_part(where: Path) -> dict[PartName, list[Path]]:
    """Shards by the first of their name and their folders' that says so; all train where none does."""
    files: dict[PartName, list[Path]] = {}
    for path in sorted(path for path in files_below(where) if path.suffix == ".parquet"):
        names = path.relative_to(where).parts[::-1]
        words = (re.split(r"[-_.\d]", name.lower())[0] for name in names)
        part: PartName = next((SPLITS[word] for word in words if word in SPLITS), "train")
        files.setdefault(part, []).append(path)
    return files


def _open(path: Path) -> pa.parquet.ParquetFile:
    size = check_file(path)
    try:
        file = pa.parquet.ParquetFile(path, page_checksum_verification=True, memory_map=False)
        plain = sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
    except FAILURES as error:
        raise _unreadable(path, error) from error
    check_ratio(path, size, plain)
    return file


def _count(path: Path) -> int:
    with _open(path) as file:
        return int(file.metadata.num_rows)


def _columns(path: Path, options: Options) -> _Columns:
    with _open(path) as file:
        try:
            schema = file.schema_arrow
        except FAILURES as error:
            raise _unreadable(path, error) from error
    image = next((name for name in IMAGE if name in schema.names), None)
    if image is None:
        raise DataError(f"{path}: expected a column {' or '.join(IMAGE)}. Received: {', '.join(schema.names[:9])}.")
    kind = schema.field(image).type
    pictures = is_picture(kind)
    if not pictures and not is_list(kind):
        raise DataError(f"{path}: expected {image} as a struct with bytes, or a list of pixels. Received: {kind}.")
    if options.group_column and options.group_column not in schema.names:
        raise DataError(f"{path}: expected a column {options.group_column!r}, the --group-column. Received: none.")
    label = next((name for name in LABEL if name in schema.names), None)
    return _Columns(image, label, pictures, class_names(schema.metadata, label))


def _shape(looks: Looks, pictures: bool, options: Options, where: Path) -> ImageShape:
    if not looks.sizes:
        raise DataError(f"{where}: expected images to train on. Received: none that can be read.")
    if pictures:
        shape = common_shape(looks, options.image_size)
    else:
        first, second = next(iter(looks.sizes))
        shape = (*((second, first) if options.transposed else (first, second)), 3 if looks.colour else 1)
    check_shape(where, "images", shape)
    return shape


def _looks(path: Path, columns: _Columns, bad: Bad) -> Iterator[Look]:
    """What the pictures of a file are like; of lists of pixels, the first stands for all."""
    first = 0
    for batch in _batches(path, [columns.image]):
        if not columns.pictures:
            height, width, channels = list_shape(path, batch.column(0))
            yield Look(height, width, channels == 3)
            return
        for number, data in enumerate(_pictures(batch.column(0)), first):
            try:
                yield look_at(data)
            except BadPictureError as error:
                bad.add(f"{path.name}, image {number}", error)
        first += batch.num_rows


def _batches(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    with _open(path) as file:
        try:
            for batch in file.iter_batches(BATCH, columns=names, use_threads=False):
                batch.validate(full=True)
                if batch.num_rows:
                    yield batch
        except FAILURES as error:
            if isinstance(error, DataError):
                raise
            raise _unreadable(path, error) from error


def _chunks(shards: list[Path], columns: _Columns, shape: ImageShape, bad: Bad, options: Options) -> Iterator[Chunk]:
    names = [name for name in (columns.image, columns.label, options.group_column) if name]
    for path in shards:
        first = 0
        for batch in _batches(path, names):
            images, kept = _images(path, first, batch, columns, shape, bad, options)
            if len(images):
                more = _labels(path, batch, columns), _groups(path, batch, columns, options), _files(batch, columns)
                yield Chunk(images, *(None if each is None else each[kept] for each in more))
            first += batch.num_rows
    bad.check()


def _images(
    path: Path, first: int, batch: pa.RecordBatch, columns: _Columns, shape: ImageShape, bad: Bad, options: Options
) -> tuple[np.ndarray, np.ndarray]:
    """The images of a batch, and which of its rows they are; `first` is the number of its first one in the file."""
    column = batch.column(columns.image)
    if not columns.pictures:
        stored = (shape[1], shape[0], shape[2]) if options.transposed else shape
        pixels = listed_pixels(path, column, stored)
        return pixels.swapaxes(1, 2) if options.transposed else pixels, np.arange(batch.num_rows)
    images, kept = [], []
    for number, data in enumerate(_pictures(column)):
        try:
            images.append(decode(data, shape))
            kept.append(number)
        except BadPictureError as error:
            bad.add(f"{path.name}, image {first + number}", error)
    return np.array(images, np.uint8).reshape(-1, *shape), np.array(kept, int)


def _pictures(column: Any) -> Iterator[bytes]:
    """The bytes of each picture; a path beside them is never followed."""
    if pa.types.is_struct(column.type):
        column = pa.compute.struct_field(column, "bytes")
    for value in column:
        yield value.as_py() or b""


def _labels(path: Path, batch: pa.RecordBatch, columns: _Columns) -> np.ndarray | None:
    if columns.label is None:
        return None
    labels = values(path, batch, columns.label)
    if columns.names is None or labels.dtype.kind not in "iu":
        return labels.astype(str) if labels.dtype.kind not in "iu" else labels
    if labels.min() < 0 or labels.max() >= len(columns.names):
        raise DataError(f"{path}: expected labels from 0 to {len(columns.names) - 1}. Received: {labels.max()}.")
    named: np.ndarray = np.array(columns.names)[labels]
    return named


def _groups(path: Path, batch: pa.RecordBatch, columns: _Columns, options: Options) -> np.ndarray | None:
    if options.group_column:
        return values(path, batch, options.group_column).astype(str)
    find = group_finder(options)
    if find is None:
        return None
    paths = _paths(batch, columns)
    if paths is None:
        raise DataError(f"{path}: expected pictures with a path, for --group-pattern. Received: none.")
    return np.array([find(Path(name)) for name in paths])


def _paths(batch: pa.RecordBatch, columns: _Columns) -> list[str] | None:
    """What pictures were called before they were put here, if they say so."""
    column = batch.column(columns.image)
    if not pa.types.is_struct(column.type) or column.type.get_field_index("path") < 0:
        return None
    return [name or "" for name in pa.compute.struct_field(column, "path").to_pylist()]


def _files(batch: pa.RecordBatch, columns: _Columns) -> np.ndarray | None:
    paths = _paths(batch, columns)
    return np.array([path.encode() for path in paths]) if paths and all(paths) else None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: expected a Parquet file. Received: one that cannot be read ({error}).")
