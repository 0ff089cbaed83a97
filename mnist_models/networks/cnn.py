"""The convolutional network (seed, step 4)."""

from __future__ import annotations

import functools
from typing import Any, Literal

import keras

from mnist_models.networks.layers import FusedBatchNormalization, TunableDropout

MOMENTUM = 0.9  # of the moving averages: Keras' 0.99 is still far from the truth after one epoch of 200 steps
SubsampleType = Literal["max_pool", "strided_conv"]
BlockType = Literal["activation_last", "activation_first"]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    num_conv_layers: int,
    num_filters_first_layer: int,
    num_filters_sub_layers: int,
    kernel_size: int,
    dense_layer_size: int,
    subsample_type: SubsampleType = "max_pool",
    activation: str = "relu",
    dropout_rate: float = 0.0,
    batch_normalization: bool = True,
    block_type: BlockType = "activation_last",
) -> keras.Model:
    """Builds blocks of convolution and subsampling → dense → softmax.

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        num_conv_layers: Number of blocks.
        num_filters_first_layer: Filters of the first block.
        num_filters_sub_layers: Filters of each further block.
        kernel_size: Of each block's convolution, in pixels.
        dense_layer_size: Neurons of the dense layer.
        subsample_type: "max_pool" (2 × 2) or "strided_conv" (5 × 5, stride 2).
        activation: Of convolutions and dense layer, by Keras' name.
        dropout_rate: After the dense layer and, with the blocks of the original project, after every block; 0 for none.
        batch_normalization: For every convolution and the dense layer.
        block_type: "activation_last" normalises between a layer without bias and its activation; "activation_first", as
            the original project has it, after a layer with bias and its activation, and after pooling.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    original = block_type == "activation_first"
    apply = functools.partial(
        _apply, activation=activation, batch_normalization=batch_normalization, activation_first=original
    )
    inputs = keras.Input(input_shape)
    x = inputs
    for block in range(num_conv_layers):
        filters = num_filters_first_layer if block == 0 else num_filters_sub_layers
        x = apply(keras.layers.Conv2D, x, filters, kernel_size=kernel_size, padding="same")
        if subsample_type == "strided_conv":
            x = apply(keras.layers.Conv2D, x, filters, kernel_size=5, strides=2, padding="same")
        else:
            x = keras.layers.MaxPooling2D(2, padding="same")(x)
            if original and batch_normalization:
                x = FusedBatchNormalization(momentum=MOMENTUM)(x)
        if original and dropout_rate:
            x = TunableDropout(dropout_rate)(x)
    x = keras.layers.Flatten()(x)
    x = apply(keras.layers.Dense, x, dense_layer_size)
    if dropout_rate:
        x = TunableDropout(dropout_rate)(x)
    x = keras.layers.Dense(classes, name="logits", dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Softmax()(x), name="cnn")


def _apply(
    layer: type[keras.layers.Layer],
    x: Any,
    units: int,
    *,
    activation: str,
    batch_normalization: bool,
    activation_first: bool,
    **options: Any,
) -> Any:
    """Applies a layer, batch normalisation where wanted, and the activation, in their order."""
    x = layer(units, use_bias=activation_first or not batch_normalization, **options)(x)
    if activation_first:
        x = keras.layers.Activation(activation)(x)
    if batch_normalization:
        x = FusedBatchNormalization(momentum=MOMENTUM)(x)
    return x if activation_first else keras.layers.Activation(activation)(x)
