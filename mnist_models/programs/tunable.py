"""The hyperparameters of a built network that can change without a new graph: rate of dropout and strength of L2."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from mnist_models.networks.layers import TunableDropout
from mnist_models.programs.shape import TUNABLE


class Tunable:
    """Variables in the place of a network's rate of dropout and strength of L2.

    The gradient of the L2 penalty is added to that of the loss, in one pass over the weights where differentiating the
    penalty takes four.

    Args:
        model: The network that is trained; its dropout layers have one rate, and its L2 regularisers one strength.

    Attributes:
        units: How many inputs of an image dropout decides over.
    """

    def __init__(self, model: keras.Model) -> None:
        self._dropout = [layer for layer in model.layers if isinstance(layer, TunableDropout)]
        self._sizes = [math.prod(layer.output.shape[1:]) for layer in self._dropout]
        self.units = sum(self._sizes)
        regularized = [layer for layer in model.layers if getattr(layer, "kernel_regularizer", None) is not None]
        self._penalized = {id(layer.kernel) for layer in regularized}
        self._variables = {name: tf.Variable(0.0, trainable=False) for name in TUNABLE}
        for layer in self._dropout:
            object.__setattr__(layer, "rate_variable", self._variables["dropout_rate"])  # not a weight of the layer

    def set(self, hyperparameters: dict[str, Any]) -> None:
        """Takes over the hyperparameters of a training."""
        for name, variable in self._variables.items():
            variable.assign(hyperparameters.get(name, 0.0))

    def hand_out(self, bits: Any) -> None:
        """Gives the dropout layers their random bits, uint16 [n, units]; None takes them back."""
        first = 0
        for layer, size in zip(self._dropout, self._sizes, strict=True):
            mine = None if bits is None else bits[:, first : first + size]
            layer.bits = None if mine is None else tf.reshape(mine, [-1, *layer.output.shape[1:]])
            first += size

    def add_penalty(self, gradients: list[Any], variables: list[Any]) -> list[Any]:
        """Adds to the gradients of the loss those of the L2 penalty."""
        twice = 2 * self._variables["l2_strength"].read_value()
        return [
            gradient + twice * variable if id(variable) in self._penalized else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
