"""Augmentation: one random affine transform per image and epoch (seed, step 6)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from mnist_models.foundation.records import Record

Interpolation = Literal["NEAREST", "BILINEAR"]


class Augmentation(Record):
    """Ranges of the random transform, in Keras' units.

    Attributes:
        rotation_range: Largest angle, as a share of a full turn, both ways.
        shear_range: Largest shear, in pixels per pixel, both ways.
        zoom_range: Largest change of size, as a share, both ways.
        width_shift_range: Largest shift, as a share of the width, both ways.
        height_shift_range: Largest shift, as a share of the height, both ways.

    Shifts are by whole pixels, so that images which are neither turned nor zoomed stay sharp. What comes from outside
    the image is 0.
    """

    rotation_range: float = Field(default=0.0, ge=0, le=0.5)
    shear_range: float = Field(default=0.0, ge=0, lt=1)
    zoom_range: float = Field(default=0.0, ge=0, lt=1)
    width_shift_range: float = Field(default=0.0, ge=0, lt=1)
    height_shift_range: float = Field(default=0.0, ge=0, lt=1)

    @property
    def interpolation(self) -> Interpolation:
        """How pixels are found: "NEAREST" where images are only shifted, so that none lies between others."""
        sharp = self.rotation_range == self.shear_range == self.zoom_range == 0
        return "NEAREST" if sharp else "BILINEAR"


def draw_transforms(
    augmentation: Augmentation | None, count: int, image_shape: tuple[int, int, int], generator: np.random.Generator
) -> np.ndarray:
    """Draws a transform for each image.

    Args:
        augmentation: The ranges; None for no augmentation, whose transforms are 0 and mean nothing.
        count: Number of images.
        image_shape: (height, width, channels).
        generator: Where the randomness comes from.

    Returns:
        float32 [count, 8]: the first eight entries of the projective matrices that map a place in the new image to a
        place in the old one, as TensorFlow's `ImageProjectiveTransformV3` takes them.
    """
    if augmentation is None:
        return np.zeros((count, 8), dtype=np.float32)
    height, width, _ = image_shape
    angle = generator.uniform(-1, 1, count) * augmentation.rotation_range * 2 * np.pi
    zoom = 1 + generator.uniform(-1, 1, count) * augmentation.zoom_range
    shift_x = _whole_pixels(augmentation.width_shift_range * width, count, generator)
    shift_y = _whole_pixels(augmentation.height_shift_range * height, count, generator)
    shear = generator.uniform(-1, 1, count) * augmentation.shear_range
    a, b = np.cos(angle) * zoom, (shear - np.sin(angle)) * zoom
    c, d = np.sin(angle) * zoom, np.cos(angle) * zoom
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    transforms = np.zeros((count, 8), dtype=np.float32)
    transforms[:, 0], transforms[:, 1] = a, b
    transforms[:, 2] = center_x - a * (center_x + shift_x) - b * (center_y + shift_y)
    transforms[:, 3], transforms[:, 4] = c, d
    transforms[:, 5] = center_y - c * (center_x + shift_x) - d * (center_y + shift_y)
    return transforms


def transform(images: Any, transforms: Any, interpolation: Interpolation | None) -> Any:
    """Applies one transform to each image.

    Args:
        images: float32 [n, height, width, channels].
        transforms: float32 [n, 8], from `draw_transforms`.
        interpolation: Of the ranges that the transforms were drawn from; None to leave the images as they are.

    Returns:
        float32 [n, height, width, channels].
    """
    if interpolation is None:
        return images
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="CONSTANT",
    )


def _whole_pixels(largest: float, count: int, generator: np.random.Generator) -> np.ndarray:
    bound = int(largest + 0.5)
    return generator.integers(-bound, bound, size=count, endpoint=True)
