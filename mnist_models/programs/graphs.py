"""What all graphs have in common: how they are compiled, what they are fed, what they add up."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from mnist_models.data.dataset import MAXIMUM_PIXEL

ALIGNMENT = 64  # bytes that memory must be a multiple of, for TensorFlow to share it


compile_graph = functools.partial(tf.function, autograph=False)
"""Compiles a function, as it is: autograph would rewrite it into files that a killed worker leaves behind."""


def image_signature(image_shape: tuple[int, int, int]) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    """Returns what graphs take of a data set: pixels, uint8 [n, height, width, channels], and labels, int32 [n]."""
    return tf.TensorSpec([None, *image_shape], tf.uint8), tf.TensorSpec([None], tf.int32)


def tensor_over(array: np.ndarray) -> Any:
    """Returns a tensor over an array's own memory, where that is aligned as TensorFlow expects it; else a copy."""
    if array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous or not array.flags.writeable:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def scale_pixels(pixels: Any) -> Any:
    """Maps pixels 0..255 to float32 in [0, 1], in the same shape."""
    return tf.cast(pixels, tf.float32) / MAXIMUM_PIXEL


def add_up(losses: Any, logits: Any, labels: Any) -> Any:
    """Returns the sum of the losses and the number of correct answers, float64 [2]."""
    correct = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
    return tf.stack([tf.reduce_sum(tf.cast(losses, tf.float64)), tf.reduce_sum(tf.cast(correct, tf.float64))])


def batches(count: int, size: int) -> list[slice]:
    """Returns the rows of each batch of `count` images; the last may be smaller."""
    return [slice(first, first + size) for first in range(0, count, size)]
