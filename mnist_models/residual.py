"""A small residual network: the strongest candidate for the final model."""

from __future__ import annotations

from typing import Any

import keras

from mnist_models.layers import FusedBatchNormalization

MOMENTUM = 0.9  # of the moving averages
SMALLEST_VALID = 16  # pixels; smaller images cannot spare their border


def build(input_shape: tuple[int, int, int], classes: int, *, stem_filters: int = 32, filters: int = 64) -> keras.Model:
    """Builds a strided stem → convolution → residual convolution → convolution → global average → softmax.

    The first layer, 5 × 5 with stride 2, leaves 12 × 12 of 28 × 28 pixels: three quarters of the multiplications of
    later layers are gone before they are many (residual connection: He et al. 2016).

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        stem_filters: Filters of the first convolution; a multiple of 16 fills the vector unit.
        filters: Filters of the other convolutions.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    inputs = keras.Input(input_shape)
    padding = "valid" if min(input_shape[:2]) >= SMALLEST_VALID else "same"
    x = _apply_convolution(inputs, stem_filters, kernel_size=5, strides=2, padding=padding)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    x = keras.layers.Add()([x, _apply_convolution(x, filters)])
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax()(x), name="residual")


def _apply_convolution(x: Any, filters: int, kernel_size: int = 3, strides: int = 1, padding: str = "same") -> Any:
    """Applies convolution, batch normalisation and ReLU."""
    x = keras.layers.Conv2D(filters, kernel_size, strides=strides, padding=padding, use_bias=False)(x)
    x = FusedBatchNormalization(momentum=MOMENTUM)(x)
    return keras.layers.ReLU()(x)
