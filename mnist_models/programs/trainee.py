"""The network that a program trains, and the same network as it is evaluated and kept."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from mnist_models.networks.by_name import build_network
from mnist_models.programs.shape import Shape


class Trainee:
    """A built network: as it is trained, perhaps in bfloat16, and as it is evaluated and kept, in float32.

    Args:
        shape: What to build.

    Attributes:
        model: The network that is trained; with the precision "bfloat16", its convolutions and products are computed
            in bfloat16, as fast again where the CPU has instructions for it. Weights and statistics are float32.
        one_view: That network without its softmax, on one view of an image where it averages several.
    """

    def __init__(self, shape: Shape) -> None:
        keras.backend.clear_session(free_memory=False)  # collecting garbage would take as long as building
        self._reference = _build(shape, "float32")
        self.model = self._reference if shape.precision == "float32" else _build(shape, "mixed_bfloat16")
        self.one_view = _one_view(self.model)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(variable.shape) for variable in self.model.trainable_variables)

    def draw_weights(self, seed: int) -> None:
        """Sets kernels and seed generators to what a seed determines; all else is as it was built."""
        for number, layer in enumerate(self.model._flatten_layers(include_self=False)):
            own_seed = int(np.random.default_rng([seed, number]).integers(2**31))
            if hasattr(layer, "kernel"):
                initializer = layer.kernel_initializer
                redrawn = type(initializer).from_config({**initializer.get_config(), "seed": own_seed})
                layer.kernel.assign(redrawn(layer.kernel.shape))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([own_seed, 0])

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the model's weights, by number."""
        return {f"{number:03d}": np.array(weight) for number, weight in enumerate(self.model.get_weights())}

    def evaluated(self, *, all_views: bool) -> keras.Model:
        """Returns the network that is evaluated, without its softmax: on all views of an image, or on one."""
        return _logits(self._reference) if all_views else _one_view(self._reference)

    def update_evaluated(self) -> None:
        """Gives the network that is evaluated the weights of the one that is trained."""
        if self._reference is not self.model:
            for variable, trained in zip(self._reference.variables, self.model.variables, strict=True):
                variable.assign(trained)


def _build(shape: Shape, policy: str) -> keras.Model:
    keras.config.set_dtype_policy(policy)
    try:
        return build_network(shape.network, shape.image_shape, shape.classes, shape.hyperparameters)
    finally:
        keras.config.set_dtype_policy("float32")


def _logits(model: keras.Model) -> Any:
    return keras.Model(model.input, model.get_layer("logits").output)


def _one_view(model: keras.Model) -> Any:
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None) or _logits(model)
