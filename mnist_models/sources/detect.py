"""Which form a data set has, by what is there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mnist_models.sources.arrays import open_arrays
from mnist_models.sources.idx import find_idx, holds_idx, is_idx, open_idx, read_idx
from mnist_models.sources.limits import check_file, files_below
from mnist_models.sources.source import DataError, Options, Source

FORMS = (
    "an .npz file, a .csv or .parquet file, or a folder with IDX files, with train.csv, with .parquet files, or with "
    "a folder of pictures for each class"
)
TABLES = (".csv", ".tsv", ".parquet")


def open_source(path: Path, options: Options | None = None) -> Source:
    """Describes what is at a path; only headers and labels are read.

    Args:
        path: File or folder.
        options: How to read it.

    Raises:
        DataError: If it has none of the forms that are known, or cannot be used.
    """
    options = options or Options()
    if path.is_dir():
        return _open_folder(path, options)
    if not path.exists():
        raise DataError(f"{path}: expected {FORMS}. Received: no such file.")
    if path.suffix == ".npz":
        return open_arrays(path, options)
    if path.suffix in (".csv", ".tsv"):
        from mnist_models.sources.tables import open_csv

        return open_csv(path, options)
    if path.suffix == ".parquet":
        from mnist_models.sources.parquet import open_parquet

        return open_parquet(path, options)
    raise DataError(f"{path}: expected {FORMS}. Received: a file of another kind.")


def _open_folder(folder: Path, options: Options) -> Source:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DataError(f"{folder}: expected a folder that can be read. Received: permission denied.")
    if holds_idx(folder):
        return open_idx(folder, options)
    if any(folder.rglob("*.parquet")):
        from mnist_models.sources.parquet import open_parquet

        return open_parquet(folder, options)
    if any("train" in path.name.lower() for path in folder.glob("*.csv")):
        from mnist_models.sources.tables import open_csv

        return open_csv(folder, options)
    from mnist_models.sources.pictures import open_pictures

    return open_pictures(folder, options)


def holds_images(path: Path) -> bool:
    """Whether a file is called as those are that `read_images` reads."""
    return path.suffix.lower() in TABLES or is_idx(path)


def find_images(folder: Path) -> list[Path]:
    """Returns the files with a data set's test images, or with its training images where it has no others.

    Args:
        folder: With IDX files, Parquet or CSV; of others, nothing is returned.

    Raises:
        DataError: If it is not to be told which they are.
    """
    if holds_idx(folder):
        return [find_idx(folder)]
    if any(folder.rglob("*.parquet")):
        from mnist_models.sources.parquet import find_parquet

        return find_parquet(folder)
    if any(folder.glob("*.csv")):
        from mnist_models.sources.tables import find_csv

        table = find_csv(folder)
        return [table] if table else []
    return []


def read_images(path: Path) -> Iterator[np.ndarray | bytes]:
    """Reads each image of one file in its order, whether there are labels or not.

    Args:
        path: An IDX file, a table or Parquet: `holds_images`.

    Returns:
        Of each uint8 [height, width, 1 or 3], or the bytes of a picture that is kept as one.

    Raises:
        DataError: If the file is not what its name says, or damaged.
    """
    if is_idx(path):
        return read_idx(path)
    if path.suffix.lower() == ".parquet":
        from mnist_models.sources.parquet import read_parquet

        return read_parquet(path)
    from mnist_models.sources.tables import read_csv

    return read_csv(path)


def content_digest(path: Path) -> str:
    """Returns the SHA-256 of the names and the bytes of all files at a path; of what may be there, whatever its form.

    Raises:
        DataError: If a link leads out of the folder, or there is something else than files.
    """
    found = hashlib.sha256()
    for file in files_below(path) if path.is_dir() else [path]:
        size = check_file(file)
        name = file.relative_to(path).as_posix() if file != path else file.name
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        found.update(f"{name}\0{size}\0{content}\n".encode(errors="surrogateescape"))
    return found.hexdigest()
