"""The trained networks of an ensemble, built with the weights that their trainings kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.store import Store
from mnist_models.networks.by_name import build_network
from mnist_models.training.result import TrainingResult, load_weights

if TYPE_CHECKING:
    import keras


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


def set_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Gives a built network the weights that a training kept, by their numbers."""
    model.set_weights([weights[name] for name in sorted(weights)])
