"""What a training came to."""

from __future__ import annotations

import numpy as np

from mnist_models.foundation.files import DamagedFileError, unpack
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Store
from mnist_models.training.specification import TrainingSpec


class TrainingResult(SealedRecord):
    """What a training came to.

    Attributes:
        history: Per metric ("loss", "accuracy", "val_loss", "val_accuracy") its value after each epoch, or the last
            where only that was validated; losses are mean cross-entropies in nats, without regularisation; "loss" and
            "accuracy" are means over the epoch in training.
        epochs: Epochs trained.
        best_epoch: The epoch, from 1, whose weights were kept.
        seconds: Time spent training, over all attempts.
        parameters: Number of trainable parameters.
        weights: The kept weights, where they were asked for.
        judged: Loss and correctness of each validation image at the best epoch, where they were asked for.
        failure: Why the training came to nothing, or None.
    """

    spec: TrainingSpec
    history: dict[str, tuple[float, ...]]
    epochs: int
    best_epoch: int
    seconds: float
    parameters: int
    weights: FileReference | None = None
    judged: FileReference | None = None
    failure: str | None = None

    def metric(self, name: str) -> float | None:
        """A metric at the best epoch; None where it was not measured."""
        values = self.history.get(name, ())
        return values[min(self.best_epoch, len(values)) - 1] if values and self.best_epoch else None


def load_weights(store: Store, result: TrainingResult) -> dict[str, np.ndarray]:
    """Reads the weights that a result points to.

    Raises:
        DamagedFileError: If they are missing or are not those of this result.
    """
    return _load(store, result, result.weights, "weights")


def load_judged(store: Store, result: TrainingResult) -> dict[str, np.ndarray]:
    """Reads what a training's network made of each validation image.

    Returns:
        "losses", float32 [n], cross-entropies in nats, and "correct", bool [n].

    Raises:
        DamagedFileError: If they are missing or are not those of this result.
    """
    return _load(store, result, result.judged, "validation losses")


def _load(store: Store, result: TrainingResult, file: FileReference | None, what: str) -> dict[str, np.ndarray]:
    if file is None:
        raise ValueError(f"Expected a training result with {what}. Received: {result.key[:20]} without.")
    path = store.verify(file)
    arrays, state = unpack(path)
    if state["key"] != result.key:
        raise DamagedFileError(path, f"these are the {what} of another training")
    return arrays
