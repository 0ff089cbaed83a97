"""A small residual network: the strongest candidate for the final model."""

from __future__ import annotations

from typing import Any

import keras

from mnist_models.layers import FusedBatchNormalization


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 16,
) -> keras.Model:
    """Builds a stem and three stride-2 residual stages → global average → softmax (He et al. 2016).

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        width: Filters of the stem; the stages have 1, 2 and 4 times as many.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    inputs = keras.Input(input_shape)
    x = _apply_convolution(inputs, width, strides=2)
    for factor in (1, 2, 4):
        x = _apply_residual_block(x, width * factor, strides=1 if factor == 1 else 2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax()(x), name="residual")


def _apply_convolution(x: Any, filters: int, strides: int = 1, kernel_size: int = 3, activation: bool = True) -> Any:
    """Applies convolution, batch normalisation and ReLU."""
    x = keras.layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False)(x)
    x = FusedBatchNormalization(momentum=0.9)(x)
    return keras.layers.ReLU()(x) if activation else x


def _apply_residual_block(x: Any, filters: int, strides: int) -> Any:
    """Applies two convolutions and adds their input, brought to the same shape."""
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = _apply_convolution(x, filters, strides, kernel_size=1, activation=False)
    x = _apply_convolution(x, filters, strides)
    x = _apply_convolution(x, filters, activation=False)
    return keras.layers.ReLU()(keras.layers.Add()([x, shortcut]))
