"""Where files live, and how they are written and believed: atomically, and only with the right digest.

Layout of a store:

    results/      one JSON file per finished task, named by its cache key (written by Prefect)
    datasets/     the arrays of each data set, memory-mapped by all workers
    weights/      weights of the models that a record points to
    exports/      models in other forms
    champion/     the champion, its history and cards
    checkpoints/  state of unfinished trainings, removed when their study ends
    locks/        who works on what at the moment
    looks/        what a person reads of a data set; `latest_data` points at that of the last run
    runs/         what a person reads: one folder per run; `latest` points at the last finished one
    pictures.npz  the plots of the last run, for one with the same results

A store is a folder, or objects elsewhere (`mnist_models.objects`) with a folder of this machine before them, in which
what is written is written first, and what is read is kept as long as there is room (`objects.copies`).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_models.foundation.files import DamagedFileError, NewFile, write_atomic
from mnist_models.foundation.locking import locked
from mnist_models.foundation.records import FileReference
from mnist_models.objects.copies import cache_folder, note_written
from mnist_models.objects.interface import Objects
from mnist_models.objects.lease import leased
from mnist_models.objects.opening import open_objects, replace

Address = Path | str
"""Where a store is: a folder, or s3://bucket/prefix."""


class Store:
    """What holds everything a run produces.

    Args:
        address: A folder, made when first written to; or s3://bucket/prefix.

    Attributes:
        address: By which another process, or another machine, finds it.
        root: The folder; of objects elsewhere, that of this machine's copies.
        objects: Those elsewhere, or None.
    """

    def __init__(self, address: Address) -> None:
        self.objects: Objects | None = None
        if isinstance(address, Path):
            self.root = address.resolve()
            self.address: Address = self.root
        else:
            self.root, self.address, self.objects = cache_folder(address), address, open_objects(address)

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
        if self.objects is not None:
            self.objects.get("locks/none")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise OSError(
                f"Expected a writable folder for --store. Received: {self.root} ({error.strerror or error})"
            ) from error

    def verify(self, reference: FileReference) -> Path:
        """Returns the absolute path of a referenced file once its bytes are those that were written.

        Raises:
            DamagedFileError: If the file is missing, or its size or digest is another.
        """
        path = self.root / reference.path
        if self.objects is not None and (not path.exists() or path.stat().st_size != reference.size):
            self.fetch(reference.path)
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
        with NewFile(self.root / relative) as file:
            file.write(data)
            return self.place(file, relative)

    def place(self, file: NewFile, relative: str | Path) -> FileReference:
        """Puts a file that is written where it shall lie, and returns its reference."""
        path = self.root / relative
        file.place(path)
        self.share(path.relative_to(self.root))
        return FileReference(
            path=path.relative_to(self.root).as_posix(), sha256=file.digest.hexdigest(), size=file.size
        )

    def share(self, relative: str | Path) -> None:
        """Puts what was written below the root, a file or a folder of them, where other machines find it.

        Another version that is there is replaced: what has one name answers the same question.
        """
        if self.objects is None:
            return
        path = self.root / relative
        for file in path.rglob("*") if path.is_dir() else (path,):
            if file.is_file() and not file.is_symlink():
                replace(self.objects, file.relative_to(self.root).as_posix(), file.read_bytes())
                note_written(file.stat().st_size)

    def fetch(self, relative: str | Path) -> None:
        """Brings what other machines wrote, a file or a folder of them, below the root, where it is not yet.

        Whatever has another size than there is brought anew.
        """
        if self.objects is None:
            return
        for name, size in self.objects.sizes(Path(relative).as_posix()):
            path = self.root / name
            if not path.exists() or path.stat().st_size != size:
                found = self.objects.get(name)
                if found is not None:
                    write_atomic(path, found.data)
                    note_written(size)

    def renew(self, path: Path) -> str | None:
        """Brings what any machine wrote last to a file below the root; it goes where there is none any more.

        Returns:
            The tag of that version; None where there is none, or the store is a folder.
        """
        if self.objects is None:
            return None
        found = self.objects.get(path.relative_to(self.root).as_posix())
        if found is None:
            path.unlink(missing_ok=True)
            return None
        write_atomic(path, found.data)
        return found.tag

    def add(self, path: Path, data: bytes) -> None:
        """Writes a file below the root that no other may have written.

        Raises:
            ConflictError: If another machine did, elsewhere.
        """
        if self.objects is not None:
            self.objects.put(path.relative_to(self.root).as_posix(), data, over=None)
        write_atomic(path, data)

    def holds(self, reference: FileReference) -> None:
        """Checks that a referenced file can be had; of one elsewhere, that it is there: its bytes are when they come.

        Raises:
            DamagedFileError: If it cannot.
        """
        if self.objects is None:
            self.verify(reference)
        elif (reference.path, reference.size) not in self.objects.sizes(reference.path):
            raise DamagedFileError(self.root / reference.path, f"there is no object of {reference.size} bytes")

    def write_array(self, relative: str | Path, array: np.ndarray) -> FileReference:
        """Writes an array as an .npy file, to be memory-mapped."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return self.write(relative, buffer.getvalue())

    def lock(self, name: str, holder: str, wait: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
        """Returns a lock that other processes, threads and machines respect, and that outlives no holder that dies.

        Args:
            name: Of what is locked.
            holder: Who holds it, for those who wait.
            wait: Called again and again while another holds the lock, with who that is; may raise to give up.
        """
        if self.objects is not None:
            return leased(self.objects, f"locks/{name}", holder, wait)
        return locked(self.root / "locks" / name, holder, wait)

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
        if self.objects is not None:
            for name, _ in self.objects.sizes(Path(relative).as_posix()):
                self.objects.remove(name)
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
