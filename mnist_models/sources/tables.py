"""Tables of pixels: CSV as Kaggle's digit recogniser has it, and columns of lists, of labels and of groups."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from mnist_models.sources.limits import check_file, check_shape
from mnist_models.sources.source import CHUNK_BYTES, Chunk, DataError, ImageShape, Options, Part, PartName, Source

LABEL = "label"
MOST_HEADER_BYTES = 2**22
IDS = {"id", "imageid", "image_id"}  # columns of numbers that are no pixels


def open_csv(where: Path, options: Options) -> Source:
    """Describes one table, or `train.csv` with `test.csv` and perhaps `validation.csv`, by their header lines.

    Raises:
        DataError: If a header is not that of a table of pixels, or tables differ.
    """
    files: dict[PartName, Path] = {"train": where} if where.is_file() else _by_part(where)
    columns = {part: _columns(path) for part, path in files.items()}
    shapes = {part: _shape(files[part], names, options) for part, names in columns.items()}
    for part, shape in shapes.items():
        if shape != shapes["train"]:
            raise DataError(f"{files[part]}: expected the training images' shape {shapes['train']}. Received: {shape}.")
    for part, names in columns.items():
        if part != "test" and LABEL not in names:
            raise DataError(f"{files[part]}: expected a column {LABEL!r}. Received: {', '.join(names[:5])}, …")
    parts = [_part(part, path, columns[part], shapes[part], options) for part, path in files.items()]
    return Source(where, shapes["train"], tuple(parts))


def find_csv(folder: Path) -> Path | None:
    """Returns the table with a folder's test images, or with its training images; None where there is neither.

    Raises:
        DataError: If there are several.
    """
    files = _by_part(folder)
    return files.get("test") or files.get("train")


def read_csv(path: Path) -> Iterator[np.ndarray]:
    """Yields each image of one table, uint8 [height, width, 1 or 3], whether it has labels or not.

    Raises:
        DataError: If it is no table of pixels.
    """
    names = _columns(path)
    for chunk in _chunks(path, names, _shape(path, names, Options()), Options()):
        yield from chunk.images


def _by_part(where: Path) -> dict[PartName, Path]:
    files: dict[PartName, Path] = {}
    spellings: dict[str, PartName] = {"train": "train", "test": "test", "valid": "validation"}
    for path in sorted(where.glob("*.csv")):
        for spelling, part in spellings.items():
            if spelling in path.stem.lower():
                if part in files:
                    raise DataError(
                        f"{where}: expected one table to {part}. Received: {files[part].name}, {path.name}."
                    )
                files[part] = path
                break
    return files


def _columns(path: Path) -> list[str]:
    check_file(path)
    with path.open("rb") as file:
        line = file.readline(MOST_HEADER_BYTES)
    try:
        names = line.decode("utf-8-sig").strip().split(",")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a table in UTF-8. Received: {error.reason}.") from error
    names = [name.strip().strip('"') for name in names]
    if len(names) < 2 or len(set(names)) != len(names):
        raise DataError(
            f"{path}: expected a header line as {LABEL},pixel0,pixel1,… Received: {line[:60]!r}, with {len(names)} "
            "columns or a name twice."
        )
    return names


def _pixel_columns(names: Sequence[str], options: Options) -> list[str]:
    return [name for name in names if name not in (LABEL, options.group_column) and name.lower() not in IDS]


def _shape(path: Path, names: Sequence[str], options: Options) -> ImageShape:
    """Square, grey or in colours, by the number of columns; any height and width where names are as 1x1 … 28x20."""
    pixels = _pixel_columns(names, options)
    places = [re.fullmatch(r"(\d+)x(\d+)(?:x([123]))?", name) for name in pixels]
    if pixels and all(places):
        height, width, channels = (max(int(place[axis] or 1) for place in places if place) for axis in (1, 2, 3))
        sides = [(height, width, channels)]
    else:
        sides = [(math.isqrt(len(pixels) // channels),) * 2 + (channels,) for channels in (1, 3)]
    for shape in sides:
        if len(pixels) == math.prod(shape) and pixels:
            found = (shape[1], shape[0], shape[2]) if options.transposed else shape
            check_shape(path, "images", found)
            return found
    raise DataError(
        f"{path}: expected a column for each pixel of a square image, as {LABEL},pixel0,…,pixel783, or columns named "
        f"1x1, 1x2, … by row and column. Received: {len(pixels)} columns besides {LABEL!r}."
    )


def _part(part: PartName, path: Path, names: list[str], shape: ImageShape, options: Options) -> Part:
    most = check_file(path) // (2 * math.prod(shape)) + 1  # a pixel takes a digit and a comma
    return Part(part, most, lambda: _chunks(path, names, shape, options), labelled=LABEL in names)


def _chunks(path: Path, names: list[str], shape: ImageShape, options: Options) -> Iterator[Chunk]:
    pixels = _pixel_columns(names, options)
    types = dict.fromkeys(names, pa.string()) | dict.fromkeys(pixels, pa.uint8())
    if options.group_column and options.group_column not in names:
        raise DataError(f"{path}: expected a column {options.group_column!r}, the --group-column. Received: none.")
    try:
        with pa.csv.open_csv(
            path,
            read_options=pa.csv.ReadOptions(
                block_size=2 * CHUNK_BYTES,
                use_threads=False,
                skip_rows=1,
                column_names=names,  # as the header was read: blanks and odd quotes would make others of it
            ),
            convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
        ) as reader:
            for batch in reader:
                if batch.num_rows:
                    yield _chunk(path, batch, pixels, shape, options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: expected a line of {len(names)} values for each image, pixels from 0 to 255. Received: {error}."
        ) from error


def _chunk(path: Path, batch: pa.RecordBatch, pixels: list[str], shape: ImageShape, options: Options) -> Chunk:
    images = np.empty((batch.num_rows, len(pixels)), np.uint8)
    for number, name in enumerate(pixels):
        column = batch.column(name)
        if column.null_count:
            raise DataError(f"{path}: expected pixels from 0 to 255. Received: an empty value in column {name!r}.")
        images[:, number] = column.to_numpy(zero_copy_only=False)
    stored = (shape[1], shape[0], shape[2]) if options.transposed else shape
    images = images.reshape(-1, *stored)
    return Chunk(
        images.swapaxes(1, 2) if options.transposed else images,
        values(path, batch, LABEL) if LABEL in batch.schema.names else None,
        values(path, batch, options.group_column) if options.group_column else None,
    )


def values(path: Path, batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Returns a column of labels or groups, [n], integers or strings.

    Raises:
        DataError: If one is missing.
    """
    column = batch.column(name)
    if column.null_count:
        raise DataError(f"{path}: expected a value for each image in column {name!r}. Received: an empty one.")
    return np.array(column.to_pylist())


def class_names(metadata: dict[bytes, bytes] | None, label: str | None) -> list[str] | None:
    """Returns the names that a hub keeps beside labels that are numbers, if it does."""
    try:
        content = json.loads((metadata or {})[b"huggingface"])
        names = content["info"]["features"][label]["names"]
        return names if all(isinstance(name, str) for name in names) else None
    except (KeyError, TypeError, ValueError):
        return None


def is_list(kind: Any) -> bool:
    """Whether a column of this type has lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_picture(kind: Any) -> bool:
    """Whether a column of this type has bytes, or structs with `bytes`."""
    if pa.types.is_struct(kind):
        number = kind.get_field_index("bytes")
        kind = kind.field(number).type if number >= 0 else kind
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def list_shape(path: Path, column: Any) -> ImageShape:
    """Returns height, width and channels of a column's first list: nested, or of the pixels of a square image.

    Raises:
        DataError: If it is neither.
    """
    sides: list[int] = []
    value: Any = column[0].as_py()
    while isinstance(value, list) and value:
        sides.append(len(value))
        value = value[0]
    if len(sides) == 1:
        for channels in (1, 3):
            side = round((sides[0] / channels) ** 0.5)
            if side * side * channels == sides[0]:
                return side, side, channels
    if len(sides) not in (2, 3):
        raise DataError(f"{path}: expected lists of the pixels of an image. Received: lists of {sides} values.")
    return sides[0], sides[1], (*sides, 1)[2]


def listed_pixels(path: Path, column: Any, shape: ImageShape) -> np.ndarray:
    """Returns a column of lists as uint8 [n, *shape].

    Raises:
        DataError: If a list is of another shape.
    """
    count, pixels = len(column), column
    while is_list(pixels.type):
        if pixels.null_count:
            raise DataError(f"{path}: expected lists of pixels. Received: an empty value.")
        lengths = pa.compute.list_value_length(pixels)
        if len(lengths) and pa.compute.min(lengths) != pa.compute.max(lengths):
            raise DataError(f"{path}: expected images of one shape, {shape}. Received: lists of several lengths.")
        pixels = pixels.flatten()
    if len(pixels) != count * int(np.prod(shape)) or pixels.null_count:
        raise DataError(f"{path}: expected {np.prod(shape)} pixels for each image. Received: another number.")
    try:
        found: np.ndarray = pixels.cast(pa.uint8()).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise DataError(f"{path}: expected pixels from 0 to 255. Received: {error}.") from error
    return found.reshape(count, *shape)
