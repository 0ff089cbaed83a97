"""Where files live, and how they are written and believed: atomically, and only with the right digest.

Layout of a store:

    results/      one JSON file per finished task, named by its cache key (written by Prefect)
    datasets/     the arrays of each data set, memory-mapped by all workers
    weights/      weights of the models that a record points to
    exports/      models in other forms
    champion/     the champion, its history and cards
    checkpoints/  state of unfinished trainings, removed when their study ends
    locks/        who works on what at the moment
    runs/         what a person reads: one folder per run; `latest` points at the last finished one
    pictures.npz  the plots of the last run, for one with the same results
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mnist_models.foundation.files import DamagedFileError, write_atomic
from mnist_models.foundation.records import FileReference

LOCK_POLL = 0.2  # seconds between two looks at a lock that another holds


class Store:
    """A folder that holds everything a run produces.

    Args:
        root: The folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @property
    def results(self) -> Path:
        """Prefect's result records."""
        return self.root / "results"

    @property
    def runs(self) -> Path:
        """One folder per run, for people."""
        return self.root / "runs"

    def check_writable(self) -> None:
        """Fails early where nothing could be kept.

        Raises:
            OSError: If no file can be written here; the message names the folder.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise OSError(
                f"Expected a writable folder for --store. Received: {self.root} ({error.strerror or error})"
            ) from error

    def reference(self, path: Path) -> FileReference:
        """Returns the reference (relative path, SHA-256, size) of a file in this store."""
        data = path.read_bytes()
        return FileReference(
            path=path.relative_to(self.root).as_posix(), sha256=hashlib.sha256(data).hexdigest(), size=len(data)
        )

    def verify(self, reference: FileReference) -> Path:
        """Returns the absolute path of a referenced file once its bytes are those that were written.

        Raises:
            DamagedFileError: If the file is missing, or its size or digest is another.
        """
        path = self.root / reference.path
        try:
            size = path.stat().st_size
            if size != reference.size:
                raise DamagedFileError(path, f"expected {reference.size} bytes, found {size}")
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise DamagedFileError(path, "the file is missing") from None
        if found != reference.sha256:
            raise DamagedFileError(path, f"expected SHA-256 {reference.sha256[:12]}…, found {found[:12]}…")
        return path

    def write(self, relative: str | Path, data: bytes) -> FileReference:
        """Writes a file atomically and returns its reference."""
        path = self.root / relative
        write_atomic(path, data)
        return FileReference(
            path=path.relative_to(self.root).as_posix(), sha256=hashlib.sha256(data).hexdigest(), size=len(data)
        )

    def write_array(self, relative: str | Path, array: np.ndarray) -> FileReference:
        """Writes an array as an .npy file, to be memory-mapped."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return self.write(relative, buffer.getvalue())

    @contextlib.contextmanager
    def lock(self, name: str, holder: str, wait: Callable[[str], None]) -> Iterator[None]:
        """Holds a lock that other processes and threads respect, and that the kernel releases when its holder dies.

        Args:
            name: Of what is locked.
            holder: Who holds it, for those who wait.
            wait: Called again and again while another holds the lock, with who that is; may raise to give up.
        """
        path = self.root / "locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    file.seek(0)
                    wait(file.read())
                    time.sleep(LOCK_POLL)
            file.truncate(0)
            file.write(holder)
            file.flush()
            yield

    def size(self) -> int:
        """Bytes of all files in the store."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())

    def remove_leftovers(self) -> None:
        """Removes the temporary files of processes of this machine that were killed while they wrote."""
        for path in self.root.rglob(".*.tmp"):
            pid = path.name.split(".")[-3]
            if pid.isdigit() and not _is_running(int(pid)):
                path.unlink(missing_ok=True)

    def remove(self, relative: str | Path) -> None:
        """Removes a file or a folder below the root, if it is there."""
        path = self.root / relative
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
