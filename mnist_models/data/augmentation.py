"""Augmentation: one random transform per image and epoch (seed, step 6)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from mnist_models.data.warp import CONTROL_POINTS, bend, erase
from mnist_models.foundation.records import Record

Interpolation = Literal["NEAREST", "BILINEAR"]
Flip = Literal["none", "horizontal", "both"]
AFFINE = 8  # numbers of an affine transform
ELASTIC = 2 * CONTROL_POINTS**2  # of an elastic one
RECTANGLE = 4


class Kind(Record):
    """What a graph must know of an augmentation, besides the transforms themselves.

    Attributes:
        interpolation: How pixels are found: "NEAREST" where images are only shifted or flipped, so that none lies
            between others.
        elastic: Whether images are bent.
        erasing: Whether rectangles are erased.
    """

    interpolation: Interpolation
    elastic: bool = False
    erasing: bool = False

    @property
    def columns(self) -> int:
        """Numbers that describe the transform of one image."""
        return AFFINE + ELASTIC * self.elastic + RECTANGLE * self.erasing


class Augmentation(Record):
    """Ranges of the random transform, in Keras' units.

    Attributes:
        rotation_range: Largest angle, as a share of a full turn, both ways.
        shear_range: Largest shear, in pixels per pixel, both ways.
        zoom_range: Largest change of size, as a share, both ways.
        width_shift_range: Largest shift, as a share of the width, both ways.
        height_shift_range: Largest shift, as a share of the height, both ways.
        elastic_range: Standard deviation of a smooth random displacement, as a share of the size (Simard et al. 2003).
        erasing_range: Largest sides of a rectangle that is set to 0, as a share of the size (Zhong et al. 2020).
        flip: "horizontal", by chance a half; "both" ways; or "none".

    Shifts are by whole pixels, so that images which are neither turned nor zoomed stay sharp. What comes from outside
    the image is 0.
    """

    rotation_range: float = Field(default=0.0, ge=0, le=0.5)
    shear_range: float = Field(default=0.0, ge=0, lt=1)
    zoom_range: float = Field(default=0.0, ge=0, lt=1)
    width_shift_range: float = Field(default=0.0, ge=0, lt=1)
    height_shift_range: float = Field(default=0.0, ge=0, lt=1)
    elastic_range: float = Field(default=0.0, ge=0, lt=1)
    erasing_range: float = Field(default=0.0, ge=0, le=1)
    flip: Flip = "none"

    @property
    def kind(self) -> Kind:
        """What a graph must know."""
        sharp = self.rotation_range == self.shear_range == self.zoom_range == 0
        return Kind(
            interpolation="NEAREST" if sharp else "BILINEAR",
            elastic=self.elastic_range > 0,
            erasing=self.erasing_range > 0,
        )


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
        float32 [count, columns of its kind]. First the eight entries of the projective matrix that maps a place in the
        new image to a place in the old one, as TensorFlow's `ImageProjectiveTransformV3` takes them; then, where images
        are bent, the displacements of control points in pixels; then, where they are erased, top, left, height and
        width of a rectangle in pixels.
    """
    if augmentation is None:
        return np.zeros((count, AFFINE), dtype=np.float32)
    parts = [_draw_affine(augmentation, count, image_shape, generator)]
    size = np.array(image_shape[:2])
    if augmentation.elastic_range:
        displacements = generator.standard_normal((count, 2, CONTROL_POINTS**2)) * augmentation.elastic_range
        parts.append((displacements * size[:, np.newaxis]).reshape(count, ELASTIC))
    if augmentation.erasing_range:
        sides = generator.uniform(0, augmentation.erasing_range, (count, 2)) * size
        parts.append(np.concatenate([generator.uniform(0, 1, (count, 2)) * (size - sides), sides], axis=1))
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")


def transform(images: Any, transforms: Any, kind: Kind | None) -> Any:
    """Applies one transform to each image.

    Args:
        images: float32 [n, height, width, channels].
        transforms: float32 [n, columns], from `draw_transforms`.
        kind: Of the ranges that the transforms were drawn from; None to leave the images as they are.

    Returns:
        float32 [n, height, width, channels].
    """
    if kind is None:
        return images
    import tensorflow as tf

    if kind.elastic:
        images = bend(images, transforms[:, :AFFINE], transforms[:, AFFINE : AFFINE + ELASTIC])
    else:
        images = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=transforms[:, :AFFINE],
            output_shape=images.shape[1:3],
            fill_value=0.0,
            interpolation=kind.interpolation,
            fill_mode="CONSTANT",
        )
    return erase(images, transforms[:, -RECTANGLE:]) if kind.erasing else images


def _draw_affine(
    augmentation: Augmentation, count: int, image_shape: tuple[int, int, int], generator: np.random.Generator
) -> np.ndarray:
    height, width, _ = image_shape
    angle = generator.uniform(-1, 1, count) * augmentation.rotation_range * 2 * np.pi
    zoom = 1 + generator.uniform(-1, 1, count) * augmentation.zoom_range
    shift_x = _whole_pixels(augmentation.width_shift_range * width, count, generator)
    shift_y = _whole_pixels(augmentation.height_shift_range * height, count, generator)
    shear = generator.uniform(-1, 1, count) * augmentation.shear_range
    a, b = np.cos(angle) * zoom, (shear - np.sin(angle)) * zoom
    c, d = np.sin(angle) * zoom, np.cos(angle) * zoom
    if augmentation.flip != "none":
        mirrored = generator.integers(0, 2, count) * 2 - 1
        a, c = a * mirrored, c * mirrored
    if augmentation.flip == "both":
        mirrored = generator.integers(0, 2, count) * 2 - 1
        b, d = b * mirrored, d * mirrored
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    transforms = np.zeros((count, AFFINE), dtype=np.float32)
    transforms[:, 0], transforms[:, 1] = a, b
    transforms[:, 2] = center_x - a * (center_x + shift_x) - b * (center_y + shift_y)
    transforms[:, 3], transforms[:, 4] = c, d
    transforms[:, 5] = center_y - c * (center_x + shift_x) - d * (center_y + shift_y)
    return transforms


def _whole_pixels(largest: float, count: int, generator: np.random.Generator) -> np.ndarray:
    bound = int(largest + 0.5)
    return generator.integers(-bound, bound, size=count, endpoint=True)
