"""Training steps as one graph: many at a call, on images that it gathers and augments itself."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from mnist_models.data import augmentation
from mnist_models.programs.graphs import add_up, compile_graph, image_signature, scale_pixels
from mnist_models.programs.shape import Shape
from mnist_models.programs.trainee import Trainee
from mnist_models.programs.tunable import Tunable


class Stepping:
    """The graph that trains a network.

    Args:
        shape: What it depends on.
        trainee: The network.
        optimizer: Built for the network's trainable variables.
        tunable: The network's dropout and L2.
    """

    def __init__(self, shape: Shape, trainee: Trainee, optimizer: keras.optimizers.Optimizer, tunable: Tunable) -> None:
        self._shape = shape
        self._network = trainee.one_view
        self._variables = trainee.model.trainable_variables
        self._optimizer = optimizer
        self._tunable = tunable
        self.run = compile_graph(
            self._run,
            *image_signature(shape.image_shape),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 8], tf.float32),
            tf.TensorSpec([None, tunable.units], tf.uint16),
            tf.TensorSpec([None], tf.float32),
        )
        """(pixels, labels, order, transforms, bits, rates) → totals, losses: see `_run`."""

    def _run(self, pixels: Any, labels: Any, order: Any, transforms: Any, bits: Any, rates: Any) -> tuple[Any, Any]:
        """Runs a step for each learning rate.

        Args:
            pixels: uint8 [n, height, width, channels], of the whole data set.
            labels: int32 [n].
            order: int32 [m], which images, batch after batch.
            transforms: float32 [m, 8], of each of them.
            bits: uint16 [m, units], random, for dropout.
            rates: float32 [steps], learning rates.

        Returns:
            Sum of losses and number of correct answers, float64 [2], and each image's loss, float32 [m].
        """
        batch, steps = self._shape.batch_size, tf.shape(rates)[0]

        def train(step: Any, totals: Any, every_loss: Any) -> tuple[Any, Any, Any]:
            rows = slice(step * batch, (step + 1) * batch)
            images = augmentation.transform(
                scale_pixels(tf.gather(pixels, order[rows])), transforms[rows], self._shape.interpolation
            )
            some, losses = self._step(images, tf.gather(labels, order[rows]), bits[rows], rates[step])
            return step + 1, totals + some, every_loss.write(step, losses)

        every_loss = tf.TensorArray(tf.float32, steps, infer_shape=False, element_shape=[None])
        start = (0, tf.zeros(2, tf.float64), every_loss)
        _, totals, every_loss = tf.while_loop(lambda step, *_: step < steps, train, start, parallel_iterations=1)
        return totals, every_loss.concat()

    def _step(self, images: Any, labels: Any, bits: Any, rate: Any) -> tuple[Any, Any]:
        self._tunable.hand_out(bits)
        with tf.GradientTape() as tape:
            logits = self._network(images, training=True)
            losses = self._losses(labels, logits)
            objective = tf.reduce_mean(losses)
        self._tunable.hand_out(None)
        gradients = self._tunable.add_penalty(tape.gradient(objective, self._variables), self._variables)
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply(gradients, self._variables)
        return add_up(losses, logits, labels), losses

    def _losses(self, labels: Any, logits: Any) -> Any:
        smoothing = self._shape.label_smoothing
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        if smoothing:
            uniform = tf.reduce_logsumexp(logits, axis=1) - tf.reduce_mean(logits, axis=1)
            losses = (1 - smoothing) * losses + smoothing * uniform
        return losses
