"""The state of a training after each epoch, in a file that is believed only where it is this training's and sound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_models.foundation.files import DamagedFileError, pack, unpack, write_atomic
from mnist_models.foundation.store import Store

LOG = logging.getLogger(__name__)
Lineage = list[str | bool]


class Checkpoint:
    """A file that holds the latest state.

    Of objects elsewhere, each state is written over the one that this training knows: one that was given up for dead,
    and given to another machine, cannot put an old state in the place of a newer one.

    Args:
        store: That holds it.
        relative: Where it lies; None to keep none.
    """

    def __init__(self, store: Store, relative: str | None) -> None:
        self.path = store.root / relative if relative else None
        self._name = relative
        self._store = store
        self._known: str | None = None

    def write(self, lineage: Lineage, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replaces what the file held, atomically.

        Args:
            lineage: Names the trainings that may go on from it.
            arrays: What they need.
            state: What else they need, as JSON; `state["epoch"]` counts the epochs that are trained, `state["shares"]`
                lists their shares or is None.

        Raises:
            ConflictError: If another machine goes on with this training.
        """
        if self.path is None or self._name is None:
            return
        data = pack(arrays, {**state, "lineage": lineage})
        if self._store.objects is None:
            write_atomic(self.path, data)
        else:
            self._known = self._store.objects.put(self._name, data, self._known)

    def read(
        self, lineage: Lineage, most_epochs: int, shares: Sequence[float] | None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Returns what was written last, or None, with a warning where there is a file that cannot be used.

        Args:
            lineage: Of this training.
            most_epochs: Of this training: it cannot go on from one that is further.
            shares: Of its epochs: nor from one whose first epochs were others.
        """
        if self.path is not None:
            self._known = self._store.renew(self.path)
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
