"""An array on disk whose rows come in any order, and end up in theirs, however many there are.

Rows go to windows of the file, each behind those that came before; then one window after the other is put in order in
memory. So everything is read and written in large pieces, twice.
"""

from __future__ import annotations

import io
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from mnist_models.foundation.files import NewFile

WINDOW_BYTES = 2**24


class Arrangement:
    """The rows of an .npy file, as they come.

    Args:
        file: What to write to; nothing was written yet.
        rows: Number of rows.
        shape: Of a row, uint8.
    """

    def __init__(self, file: NewFile, rows: int, shape: tuple[int, ...]) -> None:
        self._file = file
        self._shape = shape
        self._row_bytes = int(np.prod(shape))
        self._window_rows = max(WINDOW_BYTES // self._row_bytes, 1)
        self._rows = rows
        write_header(file, np.dtype(np.uint8), (rows, *shape))
        self._start = file.size
        count = -(-rows // self._window_rows)
        self._places: list[list[np.ndarray]] = [[] for _ in range(count)]
        self._filled = np.zeros(count, np.int64)
        self._kind = np.uint16 if count < 2**16 else np.int64  # NumPy sorts the former in one go

    def put(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Takes some rows.

        Args:
            places: Integers [k], where each belongs.
            rows: uint8 [k, …]; read until this returns only.
        """
        windows = (places // self._window_rows).astype(self._kind)
        order = np.argsort(windows, kind="stable")
        rows, places = rows[order].reshape(len(rows), -1), places[order]
        ends = np.cumsum(np.bincount(windows, minlength=len(self._places)))
        first = 0
        for window in np.flatnonzero(np.diff(ends, prepend=0)):
            end = int(ends[window])
            offset = window * self._window_rows + self._filled[window]
            self._file.draft(self._start + int(offset) * self._row_bytes, rows[first:end].reshape(-1).data)
            self._places[window].append((places[first:end] % self._window_rows).astype(np.int32))
            self._filled[window] += end - first
            first = end

    def finish(self) -> None:
        """Puts all rows in their order.

        Raises:
            ValueError: If a place was left empty.
        """
        if int(self._filled.sum()) != self._rows:
            raise ValueError(f"Expected {self._rows} rows. Received: {int(self._filled.sum())}")
        self._file.flush()
        with ThreadPoolExecutor(1, thread_name_prefix="arrange") as thread:
            ahead: Future[np.ndarray] | None = None
            for window in range(len(self._places)):
                rows = (ahead or thread.submit(self._in_order, window)).result()
                more = window + 1 < len(self._places)
                ahead = thread.submit(self._in_order, window + 1) if more else None
                self._file.write(rows.reshape(-1).data)

    def _in_order(self, window: int) -> np.ndarray:
        places = np.concatenate(self._places[window])
        self._places[window] = []
        place = self._start + window * self._window_rows * self._row_bytes
        draft = self._file.read_draft(place, len(places) * self._row_bytes)
        rows = draft.reshape(len(places), -1)
        order = np.empty(len(places), np.int32)
        order[places] = np.arange(len(places), dtype=np.int32)
        return rows[order]


def write_header(file: NewFile, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Writes what an .npy file begins with, as `numpy.save` would."""
    buffer = io.BytesIO()
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(buffer, {"descr": description, "fortran_order": False, "shape": shape})
    file.write(buffer.getvalue())
