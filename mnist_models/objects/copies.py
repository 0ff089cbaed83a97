"""This machine's copies of objects that lie elsewhere: kept by name, believed by digest, within a bound.

All processes of a machine share them. What was not used for longest goes first; whoever has it open keeps it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "MNIST_CACHE_SIZE"  # gigabytes: a machine's own, whoever works on it
USUAL_SIZE = 20.0
GIGABYTE = 10**9
EMPTIER = 0.9  # of the bound: how much is left when something had to go
SHARE = 0.01  # of the bound: so much is written before all copies are counted again

_written = 0


def cache_folder(url: str) -> Path:
    """Returns where the copies of a store's objects lie: below the user's cache folder, one for each store."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mnist_models" / hashlib.sha256(url.encode()).hexdigest()[:16]


def cache_size() -> int:
    """Returns how many bytes all copies may take on this machine."""
    return int(float(os.environ.get(VARIABLE, USUAL_SIZE)) * GIGABYTE)


def note_written(size: int) -> None:
    """Makes room once so much was written that it may be needed."""
    global _written
    _written += size
    if _written > SHARE * cache_size():
        _written = 0
        make_room()


def make_room(bound: int | None = None) -> None:
    """Removes the copies that were not used for longest where there are more than may be."""
    most = cache_size() if bound is None else bound
    files = list(_files(cache_folder("").parent))
    size = sum(stat.st_size for _, stat in files)
    if size <= most:
        return
    for path, stat in sorted(files, key=lambda each: max(each[1].st_atime, each[1].st_mtime)):
        if size <= most * EMPTIER:
            return
        if not path.name.endswith(".tmp"):
            path.unlink(missing_ok=True)
            size -= stat.st_size


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files; other processes remove some meanwhile."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            with contextlib.suppress(FileNotFoundError):
                yield path, path.lstat()
