"""The file that a data set comes from: read without trust, and checked array by array."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class DataError(ValueError):
    """A data set that cannot be used; the message names the file, what was expected and what came."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads the four arrays of an .npz.

    Raises:
        DataError: If the file is missing, not an .npz, lacks an array or holds pickled content.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected an .npz file with {', '.join(ARRAYS)}. Received: no such file.")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: expected an .npz file. Received: a file of another kind, or one cut short.")
    return {name: _read_array(path, name) for name in ARRAYS}


def check_arrays(path: Path, arrays: dict[str, np.ndarray], minimum: int) -> None:
    """Checks that arrays are images and their labels.

    Args:
        path: For the message.
        arrays: As `read_arrays` returns them.
        minimum: Training images that each class must have.

    Raises:
        DataError: If an array has another dtype, rank, number or range than expected.
    """
    for part in ("train", "test"):
        _check_part(path, part, arrays[f"x_{part}"], arrays[f"y_{part}"])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise DataError(
            f"{path}: expected test images of the training images' shape {arrays['x_train'].shape[1:]}. "
            f"Received: {arrays['x_test'].shape[1:]}."
        )
    _check_classes(path, arrays["y_train"], arrays["y_test"], minimum)


def check_digests(path: Path, arrays: dict[str, np.ndarray], digests: dict[str, str]) -> None:
    """Checks that arrays are those that are known.

    Args:
        path: For the message.
        arrays: By name.
        digests: SHA-256 of each.

    Raises:
        DataError: If one is another.
    """
    for name, expected in digests.items():
        found = sha256(arrays[name])
        if found != expected:
            raise DataError(f"{path}: expected {name} with SHA-256 {expected}. Received: {found}.")


def sha256(array: np.ndarray) -> str:
    """Returns the SHA-256 of an array's elements, 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _read_array(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as members:
            array: np.ndarray = members[name]
    except KeyError:
        raise DataError(f"{path}: expected the arrays {', '.join(ARRAYS)}. Received: a file without {name}.") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: expected {name} to be a plain array. Received: one that cannot be read ({error})."
        ) from error
    return array


def _check_part(path: Path, part: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.dtype != np.uint8:
        raise DataError(f"{path}: expected x_{part} of dtype uint8. Received: {x.dtype}.")
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)) or 0 in x.shape[1:]:
        raise DataError(
            f"{path}: expected x_{part} of shape (n, height, width) or (n, height, width, 1 or 3). Received: {x.shape}."
        )
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise DataError(f"{path}: expected y_{part} of integers in one dimension. Received: {y.dtype} {y.shape}.")
    if len(x) != len(y) or len(x) == 0:
        raise DataError(f"{path}: expected as many labels as images in x_{part}. Received: {len(x)} and {len(y)}.")


def _check_classes(path: Path, y_train: np.ndarray, y_test: np.ndarray, minimum: int) -> None:
    lowest, highest = int(y_train.min()), int(y_train.max())
    if lowest < 0 or highest >= len(y_train):
        raise DataError(f"{path}: expected labels from 0 to classes - 1. Received: y_train from {lowest} to {highest}.")
    if int(y_test.min()) < 0 or int(y_test.max()) > highest:
        raise DataError(
            f"{path}: expected test labels from 0 to {highest}, as in y_train. "
            f"Received: y_test from {int(y_test.min())} to {int(y_test.max())}."
        )
    counts = np.bincount(y_train)
    if highest == 0 or counts.min() < minimum:
        raise DataError(
            f"{path}: expected at least 2 classes of at least {minimum} training images each. "
            f"Received: {len(counts)} classes, class {int(counts.argmin())} with {int(counts.min())}."
        )
