"""Files: written atomically, packed with their own digest, and believed only when it fits."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SEAL_LENGTH = 64  # a SHA-256 in hexadecimal digits
LARGE_PIECE = 2**22  # bytes whose hashing is worth a thread
CACHED = 2**28  # bytes of a new file that wait in memory for the disk; of a larger one, what is written is let go


class DamagedFileError(Exception):
    """A file is missing or does not hold what was written to it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


def write_atomic(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or the machine after a power cut, finds either the old or the new content.

    Raises:
        OSError: If the disk refuses, with the file's name; the old file is untouched and no temporary one is left.
    """
    with NewFile(path) as file:
        file.write(data)
        file.place(path)


class NewFile:
    """A file that is written piece by piece, hashed meanwhile, and takes its place when all is written.

    Errors of the disk come with the file's name, and leave neither a temporary file nor a changed old one.

    Args:
        path: Where it will lie, or another path in the same store; its folder is made.

    Attributes:
        size: Of what was written so far, bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._hashed: Future[None] | None = None
        self.size = 0

    def __enter__(self) -> NewFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self.path.name}.{os.getpid()}."
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=prefix, suffix=".tmp")
        self._temporary = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._hasher: ThreadPoolExecutor | None = None
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._hasher:
            self._hasher.shutdown()
        try:
            self._file.close()
        finally:
            self._temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(self._temporary)):
            raise OSError(
                error.errno, error.strerror, str(self.path)
            ) from error  # which file, not only what went wrong

    def write(self, data: bytes | memoryview) -> None:
        """Appends to what was written. What is given must stay as it is until the next call: it is hashed meanwhile."""
        digest = self.digest  # of all before
        size = memoryview(data).nbytes
        self.size += size
        if size < LARGE_PIECE:
            digest.update(data)
        else:
            self._hasher = self._hasher or ThreadPoolExecutor(1, thread_name_prefix="hash")
            self._hashed = self._hasher.submit(digest.update, data)
        self._file.write(data)
        if self.size > CACHED:
            os.posix_fadvise(self._file.fileno(), 0, self.size, os.POSIX_FADV_DONTNEED)

    @property
    def digest(self) -> Any:
        """The SHA-256 of what was written so far."""
        if self._hashed:
            self._hashed.result()
        return self._digest

    def place(self, path: Path) -> None:
        """Puts the file where it shall lie, when it is safe on the disk."""
        self.path = path
        self._file.flush()
        os.fsync(self._file.fileno())
        self._temporary.chmod(0o644)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary.replace(path)
        _sync_folder(path.parent)


def pack(arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> bytes:
    """Packs arrays and JSON state into bytes that carry their own SHA-256; equal content gives equal bytes."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(state, sort_keys=True).encode(), dtype=np.uint8)
    members: dict[str, Any] = {**arrays, "state": text}
    np.savez(buffer, **members)
    payload = buffer.getvalue()
    return hashlib.sha256(payload).hexdigest().encode() + payload


def unpack(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `pack` made.

    Raises:
        DamagedFileError: If the file is missing, cut short or altered.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DamagedFileError(path, "the file is missing") from None
    seal, payload = data[:SEAL_LENGTH], data[SEAL_LENGTH:]
    if hashlib.sha256(payload).hexdigest().encode() != seal:
        raise DamagedFileError(path, "its content does not match its SHA-256")
    with np.load(io.BytesIO(payload), allow_pickle=False) as members:
        arrays = {name: members[name] for name in members.files}
    state: dict[str, Any] = json.loads(arrays.pop("state").tobytes())
    return arrays, state


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
