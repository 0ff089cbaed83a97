"""Writes one data set in each form that people have."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

FILE_NAMES = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class Images:
    """Images uint8 [n, height, width, 1 or 3] and the names of their classes, of each part."""

    parts: dict[str, tuple[np.ndarray, list[str]]]

    @property
    def names(self) -> list[str]:
        return sorted({name for _, labels in self.parts.values() for name in labels})


def write_arrays(data: Images, path: Path, *, names: str = "{axis}_{part}") -> Path:
    path = path.with_suffix(".npz")
    arrays = {}
    for part, (images, labels) in data.parts.items():
        short = {"validation": "valid"}.get(part, part)
        arrays[names.format(axis="x", part=short)] = images
        arrays[names.format(axis="y", part=short)] = labelled(labels)
    np.savez(path, **arrays)
    return path


def labelled(labels: list[str]) -> np.ndarray:
    return np.array(labels, int) if all(name.isdigit() for name in labels) else np.array(labels)


def write_medmnist(data: Images, path: Path) -> Path:
    path = path.with_suffix(".npz")
    arrays = {}
    for part, (images, labels) in data.parts.items():
        short = {"validation": "val"}.get(part, part)
        arrays[f"{short}_images"] = images if images.shape[3] == 3 else images[..., 0]
        arrays[f"{short}_labels"] = labelled(labels)[:, np.newaxis]
    np.savez_compressed(path, **arrays)
    return path


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(data: Images, path: Path, *, packed: bool = False) -> Path:
    path.mkdir()
    for part, (images, labels) in data.parts.items():
        for kind, array in (("images-idx3", images[..., 0]), ("labels-idx1", np.array(labels, np.uint8))):
            name, content = f"{FILE_NAMES[part]}-{kind}-ubyte", idx(array)
            if packed:
                name, content = f"{name}.gz", gzip.compress(content, 1)
            (path / name).write_bytes(content)
    return path


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def write_pictures(data: Images, path: Path) -> Path:
    for part, (images, labels) in data.parts.items():
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = path / part / label / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(png(image))
    return path


def write_csv(data: Images, path: Path) -> Path:
    path.mkdir()
    for part, (images, labels) in data.parts.items():
        height, width, channels = images.shape[1:]
        shape = (height, width, channels)[: 3 if channels == 3 else 2]
        names = ["x".join(str(axis + 1) for axis in place) for place in np.ndindex(shape)]
        columns = [pa.array(labels), *(pa.array(column) for column in images.reshape(len(images), -1).T)]
        pyarrow.csv.write_csv(pa.table(columns, names=["label", *names]), path / f"{part}.csv")
    return path


def write_parquet(data: Images, path: Path) -> Path:
    """As a hub does: pictures, and numbers for labels with the names beside them."""
    path.mkdir()
    names = data.names[::-1]  # in no order of ours
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    for part, (images, labels) in data.parts.items():
        pictures = [{"bytes": png(image), "path": None} for image in images]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        numbers = pa.array([names.index(label) for label in labels])
        table = pa.table({"image": pa.array(pictures, kind), "label": numbers})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        half = len(images) // 2
        for shard, rows in enumerate((table[:half], table[half:])):
            pyarrow.parquet.write_table(rows, path / f"{part}-0000{shard}-of-00002.parquet", row_group_size=7)
    return path


def write_lists(data: Images, path: Path) -> Path:
    """Parquet with pixels as nested lists, and words for labels."""
    path.mkdir()
    for part, (images, labels) in data.parts.items():
        pixels = images if images.shape[3] == 3 else images[..., 0]
        table = pa.table({"image": pa.array(pixels.tolist()), "label": pa.array(labels)})
        pyarrow.parquet.write_table(table, path / f"{part}.parquet")
    return path


FORMS: dict[str, Callable[[Images, Path], Path]] = {
    "arrays": write_arrays,
    "medmnist": write_medmnist,
    "idx": write_idx,
    "pictures": write_pictures,
    "csv": write_csv,
    "parquet": write_parquet,
    "lists": write_lists,
}


def can_hold(form: str, data: Images) -> bool:
    """Whether a form has a place for what is there."""
    if form != "idx":
        return True
    grey = all(images.shape[3] == 1 for images, _ in data.parts.values())
    numbers = all(name.isdigit() and int(name) < 256 and str(int(name)) == name for name in data.names)
    return grey and numbers and "validation" not in data.parts
