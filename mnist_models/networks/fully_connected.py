"""The fully connected network (seed, step 2)."""

from __future__ import annotations

from typing import Literal

import keras

from mnist_models.networks.layers import TunableDropout

SizeVariation = Literal["constant", "half"]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden_layer_size: int,
    depth: int,
    size_variation: SizeVariation = "constant",
    activation: str = "relu",
    dropout_rate: float = 0.0,
    l2_strength: float = 0.0,
) -> keras.Model:
    """Builds flatten → hidden layers → softmax.

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        hidden_layer_size: Neurons of the first hidden layer.
        depth: Number of hidden layers.
        size_variation: "constant" gives every hidden layer the same size, "half" each half of the one before.
        activation: Of the hidden layers, by Keras' name.
        dropout_rate: After each hidden layer; 0 for none.
        l2_strength: Of the hidden layers' weights; 0 for none.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for layer in range(depth):
        size = hidden_layer_size if size_variation == "constant" else max(hidden_layer_size >> layer, 1)
        regularizer = keras.regularizers.L2(l2_strength) if l2_strength else None
        x = keras.layers.Dense(size, activation=activation, kernel_regularizer=regularizer)(x)
        if dropout_rate:
            x = TunableDropout(dropout_rate)(x)
    x = keras.layers.Dense(classes, name="logits", dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Softmax()(x), name="fully_connected")
