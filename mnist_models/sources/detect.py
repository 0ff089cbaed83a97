"""Which form a data set has, by what is there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mnist_models.sources.arrays import open_arrays
from mnist_models.sources.idx import holds_idx, open_idx
from mnist_models.sources.limits import check_file, files_below
from mnist_models.sources.source import DataError, Options, Source

FORMS = (
    "an .npz file, a .csv or .parquet file, or a folder with IDX files, with train.csv, with .parquet files, or with "
    "a folder of pictures for each class"
)


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
