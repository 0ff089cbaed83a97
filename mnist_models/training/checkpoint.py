"""The state of a training after each epoch, in a file that is believed only where it is this training's and sound."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from mnist_models.foundation.files import DamagedFileError, pack, unpack, write_atomic

LOG = logging.getLogger(__name__)


class Checkpoint:
    """A file that holds the latest state.

    Args:
        path: Where it lies; None to keep none.
        lineage: Names the trainings that may go on from it.
    """

    def __init__(self, path: Path | None, lineage: str) -> None:
        self._path = path
        self._lineage = lineage

    def write(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replaces what the file held, atomically; `state["epoch"]` counts the epochs that are trained."""
        if self._path is not None:
            write_atomic(self._path, pack(arrays, {**state, "lineage": self._lineage}))

    def read(self, most_epochs: int) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Returns what was written last, or None, with a warning where there is a file that cannot be used.

        Args:
            most_epochs: Of this training: it cannot go on from one that is further.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            arrays, state = unpack(self._path)
        except DamagedFileError as error:
            LOG.warning("%s; training from the beginning", error)
            return None
        if state["lineage"] != self._lineage or state["epoch"] > most_epochs:
            LOG.warning("%s: the checkpoint of another training; training from the beginning", self._path)
            return None
        return arrays, state
