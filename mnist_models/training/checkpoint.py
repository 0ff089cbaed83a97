"""The state of a training after each epoch, in a file that is believed only where it is this training's and sound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mnist_models.foundation.files import DamagedFileError, pack, unpack, write_atomic

LOG = logging.getLogger(__name__)
Lineage = list[str | bool]


class Checkpoint:
    """A file that holds the latest state.

    Args:
        path: Where it lies; None to keep none.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def write(self, lineage: Lineage, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replaces what the file held, atomically.

        Args:
            lineage: Names the trainings that may go on from it.
            arrays: What they need.
            state: What else they need, as JSON; `state["epoch"]` counts the epochs that are trained, `state["shares"]`
                lists their shares or is None.
        """
        if self.path is not None:
            write_atomic(self.path, pack(arrays, {**state, "lineage": lineage}))

    def read(
        self, lineage: Lineage, most_epochs: int, shares: Sequence[float] | None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Returns what was written last, or None, with a warning where there is a file that cannot be used.

        Args:
            lineage: Of this training.
            most_epochs: Of this training: it cannot go on from one that is further.
            shares: Of its epochs: nor from one whose first epochs were others.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            arrays, state = unpack(self.path)
        except DamagedFileError as error:
            LOG.warning("%s; training from the beginning", error)
            return None
        others = None if shares is None else list(shares[: state["epoch"]])
        if state["lineage"] != lineage or state["epoch"] > most_epochs or state["shares"] != others:
            LOG.warning("%s: the checkpoint of another training; training from the beginning", self.path)
            return None
        return arrays, state
