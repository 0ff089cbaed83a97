"""Processes of this machine, by what they were started with."""

from __future__ import annotations

import contextlib
from pathlib import Path


def processes(variable: str) -> list[int]:
    """All that runs with NAME=value in its environment: what was started so, and all that this started."""
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found
