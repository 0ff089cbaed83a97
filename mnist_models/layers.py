"""Layers that are Keras' own to save, load and export, and faster to train and to tune on a CPU."""

from __future__ import annotations

from typing import Any

import keras

DRAWS = 2**16  # different values of 16 random bits


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
    """`keras.layers.Dropout` whose rate can be a variable, so that one traced graph serves trials of any rate.

    With such a variable, 16 random bits decide over each input, where the plain layer draws 32 and makes a float of
    them: two thirds of the layer's time.
    """

    knob: Any = None  # a TensorFlow variable that holds the rate, once somebody sets one

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops a random share of the inputs while training."""
        if self.knob is None or not training:
            return super().call(inputs, training=training)
        import tensorflow as tf

        rate = self.knob.read_value()
        shape = tf.shape(inputs)
        count = tf.reduce_prod(shape)
        seed = tf.cast(self.seed_generator.next(), tf.int64)
        words = tf.random.stateless_uniform([(count + 1) // 2], seed, None, None, tf.uint32)
        draws = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count], shape)
        kept = tf.cast(draws, tf.float32) >= rate * DRAWS
        return tf.where(kept, inputs / tf.cast(1 - rate, inputs.dtype), tf.zeros((), inputs.dtype))
