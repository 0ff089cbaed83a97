"""A small residual network: the strongest candidate for the final model."""

from __future__ import annotations

from typing import Any

import keras

from mnist_models.networks.layers import FusedBatchNormalization

MOMENTUM = 0.9  # of the moving averages
SMALLEST_VALID = 16  # pixels; smaller images cannot spare their border
SHIFTS = ((0, 0), (1, 1), (-1, -1))  # pixels down and to the right: four and eight more gave no more


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    stem_filters: int = 16,
    middle_filters: int = 32,
    filters: int = 96,
    shifted_views: bool = False,
) -> keras.Model:
    """Builds two thin convolutions → three wide ones, the middle one residual → global average → softmax.

    The first layers see the image in full resolution and have few filters; without padding they leave 6 × 6 of 28 × 28
    pixels to the wide layers, where nearly all multiplications are (residual connection: He et al. 2016).

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        stem_filters: Filters of the first convolution.
        middle_filters: Filters of the second.
        filters: Filters of the other three; a multiple of 16 fills the vector unit.
        shifted_views: Average the logits over the image and two copies shifted by a pixel. One view is enough to train
            on: the network that looks at one is the nested model, which shares all weights.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    padding = "valid" if min(input_shape[:2]) >= SMALLEST_VALID else "same"
    inputs = keras.Input(input_shape)
    x = _apply_convolution(inputs, stem_filters, padding)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, middle_filters, padding)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    x = keras.layers.Add()([x, _apply_convolution(x, filters)])
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, name="logits", dtype="float32")(x)
    if shifted_views:
        one_view, inputs = keras.Model(inputs, x, name="one_view"), keras.Input(input_shape)
        x = keras.layers.Average(name="logits")([one_view(view) for view in _shift(inputs)])
    return keras.Model(inputs, keras.layers.Softmax()(x), name="residual")


def _apply_convolution(x: Any, filters: int, padding: str = "same") -> Any:
    """Applies 3 × 3 convolution, batch normalisation and ReLU."""
    x = keras.layers.Conv2D(filters, 3, padding=padding, use_bias=False, kernel_initializer="he_normal")(x)
    x = FusedBatchNormalization(momentum=MOMENTUM)(x)
    return keras.layers.ReLU()(x)


def _shift(images: Any) -> list[Any]:
    """Returns the images shifted by each of `SHIFTS`, filled with 0."""
    padded = keras.layers.ZeroPadding2D(1)(images)
    return [keras.layers.Cropping2D(((1 - down, 1 + down), (1 - right, 1 + right)))(padded) for down, right in SHIFTS]
