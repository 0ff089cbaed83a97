"""Layers that are Keras' own to save, load and export, and faster to train and to tune on a CPU."""

from __future__ import annotations

from typing import Any

import keras

DRAWS = 2**16  # different values of sixteen bits


@keras.saving.register_keras_serializable(package="mnist_models")
class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` with TensorFlow's fused kernel where that exists.

    Weights, names, configuration and inference are those of the plain layer, so weights move freely between the two.
    The fused kernel serves training with float32 or bfloat16 images [n, height, width, channels] on the TensorFlow
    backend; everything else is the plain layer. The moving variance takes the unbiased variance of a batch, as in
    TensorFlow's kernel.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises a batch; see the plain layer."""
        fused = (
            keras.backend.backend() == "tensorflow"
            and training
            and self.trainable
            and mask is None
            and self.center
            and self.scale
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.compute_dtype in ("float32", "bfloat16")
        )
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="mnist_models")
class TunableDropout(keras.layers.Dropout):  # type: ignore[misc]
    """`keras.layers.Dropout` that a training can hand its rate and its random bits.

    One traced graph then serves trials of any rate, and sixteen bits that NumPy drew decide over each input, in a fifth
    of the time of the plain layer's 32-bit floats.

    Attributes:
        rate_variable: TensorFlow variable that holds the rate, or None.
        bits: uint16, of the inputs' shape, evenly distributed; None for the plain layer.
    """

    rate_variable: Any = None
    bits: Any = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops a random share of the inputs while training."""
        if self.bits is None or not training:
            return super().call(inputs, training=training)
        import tensorflow as tf

        rate = self.rate_variable.read_value()
        kept = self.bits >= tf.cast(rate * DRAWS, tf.uint16)
        return inputs * (tf.cast(kept, inputs.dtype) * tf.cast(1 / (1 - rate), inputs.dtype))
