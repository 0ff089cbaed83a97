"""The networks by name; each module's `build` takes plain hyperparameters."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import keras

Network = Literal["fully_connected", "cnn", "residual"]
NETWORKS: tuple[Network, ...] = get_args(Network)


def build_network(
    network: Network, input_shape: tuple[int, int, int], classes: int, hyperparameters: dict[str, Any]
) -> keras.Model:
    """Builds a network from its module, the only one that is imported: see there for the hyperparameters.

    Returns:
        float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities.

    Raises:
        TypeError: If the network has no such hyperparameter, or one is missing.
    """
    module = importlib.import_module(f"{__package__}.{network}")
    model: keras.Model = module.build(input_shape, classes, **hyperparameters)
    return model
