"""An array as an .npy file, written some rows after the others."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from mnist_models.foundation.files import NewFile


def write_rows(
    file: NewFile, dtype: np.dtype, shape: tuple[int, ...], parts: Iterable[Callable[[], np.ndarray]]
) -> None:
    """Writes an .npy file out of parts, each of which is made while the one before is written.

    Args:
        file: What to write to; nothing was written yet.
        dtype: Of the array.
        shape: Of the array.
        parts: Each makes the next rows.
    """
    _write_header(file, dtype, shape)
    with ThreadPoolExecutor(1, thread_name_prefix="rows") as thread:
        made: Future[np.ndarray] | None = None
        for part in parts:
            coming = thread.submit(part)
            if made:
                file.write(made.result().reshape(-1).view(np.uint8).data)
            made = coming
        if made:
            file.write(made.result().reshape(-1).view(np.uint8).data)


def write_array(file: NewFile, array: np.ndarray) -> None:
    """Writes an .npy file of an array that is in memory."""
    write_rows(file, array.dtype, array.shape, [lambda: np.ascontiguousarray(array)])


def _write_header(file: NewFile, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Writes what an .npy file begins with, as `numpy.save` would."""
    buffer = io.BytesIO()
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(buffer, {"descr": description, "fortran_order": False, "shape": shape})
    file.write(buffer.getvalue())
