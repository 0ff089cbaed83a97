"""What TensorFlow's own affine transform does not do to images: bend them, and erase a part."""

from __future__ import annotations

from typing import Any

import numpy as np

CONTROL_POINTS = 5  # of the smooth displacement, each way


def bend(images: Any, affine: Any, displacements: Any) -> Any:
    """Applies an affine transform and a smooth displacement in one interpolation.

    Args:
        images: float32 [n, height, width, channels].
        affine: float32 [n, 8], as `ImageProjectiveTransformV3` takes them.
        displacements: float32 [n, 2 · points²]: of the control points, in pixels, first downwards, then to the right.

    Returns:
        float32 [n, height, width, channels]; what comes from outside the image is 0.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    control = tf.reshape(displacements, [-1, 2, CONTROL_POINTS, CONTROL_POINTS])
    moved = tf.einsum("yi,nkij,xj->knyx", _spread(height), control, _spread(width))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    matrix = affine[:, :, tf.newaxis, tf.newaxis]
    old_x = matrix[:, 0] * x + matrix[:, 1] * y + matrix[:, 2] + moved[1]
    old_y = matrix[:, 3] * x + matrix[:, 4] * y + matrix[:, 5] + moved[0]
    return _interpolate(images, old_y, old_x)


def erase(images: Any, rectangles: Any) -> Any:
    """Sets a rectangle of each image to 0.

    Args:
        images: float32 [n, height, width, channels].
        rectangles: float32 [n, 4]: top, left, height and width in pixels.
    """
    import tensorflow as tf

    rows, columns = (np.arange(size, dtype=np.float32) for size in images.shape[1:3])
    top, left, height, width = (rectangles[:, number, tf.newaxis] for number in range(4))
    inside_rows = tf.logical_and(rows >= top, rows < top + height)
    inside_columns = tf.logical_and(columns >= left, columns < left + width)
    inside = tf.logical_and(inside_rows[:, :, tf.newaxis], inside_columns[:, tf.newaxis, :])
    return images * tf.cast(tf.logical_not(inside), images.dtype)[..., tf.newaxis]


def _spread(size: int) -> np.ndarray:
    """How much each control point moves each pixel, float32 [size, points]: Gaussian weights that sum to 1."""
    places = np.linspace(0, CONTROL_POINTS - 1, size)[:, np.newaxis]
    weights = np.exp(-2 * (places - np.arange(CONTROL_POINTS)) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _interpolate(images: Any, y: Any, x: Any) -> Any:
    """Bilinear interpolation of images [n, h, w, c] at places [n, h, w]; a border of 0 stands for all outside."""
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    bordered = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, (height + 2) * (width + 2), channels])
    y, x = tf.clip_by_value(y + 1, 0.0, height + 1.0), tf.clip_by_value(x + 1, 0.0, width + 1.0)
    top, left = tf.minimum(tf.floor(y), float(height)), tf.minimum(tf.floor(x), float(width))
    down, right = (y - top)[..., tf.newaxis], (x - left)[..., tf.newaxis]
    corner = tf.cast(top, tf.int32) * (width + 2) + tf.cast(left, tf.int32)

    def pixels(offset: int) -> Any:
        return tf.gather(bordered, corner + offset, batch_dims=1)

    upper = pixels(0) * (1 - right) + pixels(1) * right
    lower = pixels(width + 2) * (1 - right) + pixels(width + 3) * right
    return upper * (1 - down) + lower * down
