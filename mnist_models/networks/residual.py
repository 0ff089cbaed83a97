"""A small residual network: the strongest candidate for the final model."""

from __future__ import annotations

from typing import Any, Literal

import keras

from mnist_models.networks.layers import FusedBatchNormalization

MOMENTUM = 0.9  # of the moving averages
SMALLEST_VALID = 16  # pixels; smaller images cannot spare their border
Views = Literal["one", "shifts", "turns"]
SHIFTS = ((0, 0), (1, 1), (-1, -1))  # pixels down and to the right: four and eight more gave no more


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    stem_filters: int = 16,
    middle_filters: int = 32,
    filters: int = 96,
    stem_kernel_size: int = 3,
    residual_blocks: int = 1,
    views: Views = "one",
) -> keras.Model:
    """Builds two thin convolutions → wide ones, the middle ones residual → global average → softmax.

    The first layers see the image in full resolution and have few filters; without padding they leave 6 × 6 of 28 × 28
    pixels to the wide layers, where nearly all multiplications are (residual connection: He et al. 2016).

    Args:
        input_shape: (height, width, channels) of the float32 images in [0, 1].
        classes: Number of classes.
        stem_filters: Filters of the first convolution.
        middle_filters: Filters of the second.
        filters: Filters of the wide ones; a multiple of 16 fills the vector unit.
        stem_kernel_size: Of the first convolution.
        residual_blocks: Number of residual convolutions.
        views: Average the logits over "one" view of the image; over it and two copies shifted by a pixel ("shifts"); or
            over its four quarter turns, two half turns where it is not square ("turns"). One view is enough to train
            on: the network that looks at one is the nested model, which shares all weights.

    Returns:
        float32 [n, height, width, channels] → float32 [n, classes], probabilities; the layer "logits" holds what comes
        before the softmax.
    """
    padding = "valid" if min(input_shape[:2]) >= SMALLEST_VALID else "same"
    inputs = keras.Input(input_shape)
    x = _apply_convolution(inputs, stem_filters, padding, stem_kernel_size)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, middle_filters, padding)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    for _ in range(residual_blocks):
        x = keras.layers.Add()([x, _apply_convolution(x, filters)])
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = _apply_convolution(x, filters)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, name="logits", dtype="float32")(x)
    if views != "one":
        one_view, inputs = keras.Model(inputs, x, name="one_view"), keras.Input(input_shape)
        x = keras.layers.Average(name="logits")([one_view(view) for view in _views(inputs, views)])
    return keras.Model(inputs, keras.layers.Softmax()(x), name="residual")


def _apply_convolution(x: Any, filters: int, padding: str = "same", kernel_size: int = 3) -> Any:
    """Applies convolution, batch normalisation and ReLU."""
    x = keras.layers.Conv2D(filters, kernel_size, padding=padding, use_bias=False, kernel_initializer="he_normal")(x)
    x = FusedBatchNormalization(momentum=MOMENTUM)(x)
    return keras.layers.ReLU()(x)


def _views(images: Any, views: Views) -> list[Any]:
    """Returns what a network looks at instead of one image."""
    if views == "shifts":
        return _shift(images)
    if images.shape[1] != images.shape[2]:
        return [images, keras.ops.flip(images, axis=(1, 2))]
    return [keras.ops.rot90(images, turns, axes=(1, 2)) for turns in range(4)]


def _shift(images: Any) -> list[Any]:
    """Returns the images shifted by each of `SHIFTS`, filled with 0."""
    padded = keras.layers.ZeroPadding2D(1)(images)
    return [keras.layers.Cropping2D(((1 - down, 1 + down), (1 - right, 1 + right)))(padded) for down, right in SHIFTS]
