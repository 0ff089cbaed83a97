"""The trained networks of an ensemble, built with the weights that their trainings kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_models.data.dataset import DatasetReference, evaluation_batch, scale
from mnist_models.foundation.store import Store
from mnist_models.networks.by_name import build_network
from mnist_models.training.result import TrainingResult, load_weights

if TYPE_CHECKING:
    import keras

CHUNKS = 40  # batches at a call of Keras: enough to hide what a call costs


def build_member(store: Store, member: TrainingResult, dataset: DatasetReference) -> keras.Model:
    """Builds a trained network with the weights that its training kept.

    Raises:
        DamagedFileError: If the weights are missing or damaged.
    """
    spec = member.spec
    weights = load_weights(store, member)
    model = build_network(spec.network, dataset.image_shape, dataset.classes, dict(spec.hyperparameters))
    set_weights(model, weights)
    return model


def predict(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Returns the probabilities of images, float32 [n, classes], with few of them in memory at a time.

    Args:
        model: A network.
        pixels: uint8 [n, height, width, channels], as stored.
    """
    size = evaluation_batch(pixels.shape[1:])
    chunks = (pixels[first : first + CHUNKS * size] for first in range(0, len(pixels), CHUNKS * size))
    return np.concatenate([model.predict(scale(chunk), batch_size=size, verbose=0) for chunk in chunks])


def set_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Gives a built network the weights that a training kept, by their numbers."""
    model.set_weights([weights[name] for name in sorted(weights)])
