"""A program: a network, its optimiser, and the graph that trains it, many steps at a call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from mnist_models.data.augmentation import AFFINE, Augmentation, draw_transforms, transform
from mnist_models.data.dataset import Images
from mnist_models.optimizers.optimizer import build_optimizer
from mnist_models.programs.graphs import add_up, batches, compile_graph, image_signature, scale_pixels, tensor_over
from mnist_models.programs.prefetch import ask_ahead
from mnist_models.programs.shape import Shape
from mnist_models.programs.trainee import Trainee
from mnist_models.programs.tunable import Tunable

CHUNK_IMAGES = 6_400  # at most at a call of the graph: enough to hide Python
CHUNK_BITS = 2**25  # bytes at most of random bits at a call, where dropout decides over many inputs


class Program:
    """Trains a network as it is told: it knows of no epochs and of no schedule.

    After `begin` it computes the same, to the bit, as a new program of its shape.

    Args:
        shape: What its graphs depend on.

    Attributes:
        trainee: The network.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.trainee = Trainee(shape)
        self._variables = self.trainee.model.trainable_variables
        self._optimizer = build_optimizer(shape.optimizer)
        self._optimizer.build(self._variables)
        self._tunable = Tunable(self.trainee.model)
        columns = shape.augmentation.columns if shape.augmentation else AFFINE
        self._steps = compile_graph(
            self._run_steps,
            input_signature=(
                *image_signature(shape.image_shape),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, columns], tf.float32),
                tf.TensorSpec([None, self._tunable.units], tf.uint16),
                tf.TensorSpec([None], tf.float32),
            ),
        )
        self._initial = [_compressed(variable.numpy()) for variable in self._all_variables()]

    def begin(self, seed: int, hyperparameters: dict[str, Any]) -> None:
        """Starts a training.

        Args:
            seed: Determines the first weights.
            hyperparameters: Of this shape; what they say of dropout and L2 is taken over.
        """
        for variable, value in zip(self._all_variables(), self._initial, strict=True):
            variable.assign(np.broadcast_to(value, variable.shape))
        self.trainee.draw_weights(seed)
        self._tunable.set(hyperparameters)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that training changes: weights, seed generators, optimiser; by number."""
        return {f"{number:03d}": variable.numpy() for number, variable in enumerate(self._all_variables())}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Sets what `state` returned."""
        for number, variable in enumerate(self._all_variables()):
            variable.assign(state[f"{number:03d}"])

    def train(
        self,
        images: Images,
        order: np.ndarray,
        rates: np.ndarray,
        ranges: Augmentation | None,
        generator: np.random.Generator,
    ) -> tuple[float, float, np.ndarray]:
        """Trains a step for each learning rate.

        Args:
            images: What to choose from.
            order: int32 [n], which images, batch after batch; the last batch may be smaller.
            rates: float32 [steps], learning rates.
            ranges: Of augmentation.
            generator: Where augmentation and dropout take their randomness from.

        Returns:
            Mean cross-entropy and accuracy over these steps, and the loss of each image in the order given, float32
            [n]: with label smoothing, where the steps call for it.
        """
        transforms = draw_transforms(ranges, len(order), self.shape.image_shape, generator)
        pixels, labels = tensor_over(images.x), tensor_over(images.y)
        totals, every_loss = np.zeros(2), []
        batch_size = self.shape.batch_size
        chunk = min(CHUNK_IMAGES, CHUNK_BITS // max(2 * self._tunable.units, 1))
        steps_of_chunks = batches(len(rates), max(chunk // batch_size, 1))
        chunks = [slice(steps.start * batch_size, steps.stop * batch_size) for steps in steps_of_chunks]
        for steps, rows in zip(steps_of_chunks, ask_ahead(images.x, order, chunks), strict=True):
            bits = _random_bits(generator, len(order[rows]), self._tunable.units)
            some, losses = self._steps(pixels, labels, order[rows], transforms[rows], bits, rates[steps])
            totals += some.numpy()
            every_loss.append(losses.numpy())
        loss, accuracy = totals / len(order)
        return float(loss), float(accuracy), np.concatenate(every_loss)

    def _run_steps(
        self, pixels: Any, labels: Any, order: Any, transforms: Any, bits: Any, rates: Any
    ) -> tuple[Any, Any]:
        """The graph: totals, float64 [2], and the losses of all images, float32 [n]."""
        batch, steps = self.shape.batch_size, tf.shape(rates)[0]

        def train(step: Any, totals: Any, every_loss: Any) -> tuple[Any, Any, Any]:
            rows = slice(step * batch, (step + 1) * batch)
            plain = scale_pixels(tf.gather(pixels, order[rows]))
            images = transform(plain, transforms[rows], self.shape.augmentation)
            some, losses = self._step(images, tf.gather(labels, order[rows]), bits[rows], rates[step])
            return step + 1, totals + some, every_loss.write(step, losses)

        every_loss = tf.TensorArray(tf.float32, steps, infer_shape=False, element_shape=[None])
        start = (0, tf.zeros(2, tf.float64), every_loss)
        _, totals, every_loss = tf.while_loop(lambda step, *_: step < steps, train, start, parallel_iterations=1)
        return totals, every_loss.concat()

    def _step(self, images: Any, labels: Any, bits: Any, rate: Any) -> tuple[Any, Any]:
        self._tunable.hand_out(bits)
        with tf.GradientTape() as tape:
            logits = self.trainee.one_view(images, training=True)
            cross_entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            losses = self._smoothed(cross_entropies, logits)
            objective = tf.reduce_mean(self._weighted(losses, labels))
        self._tunable.hand_out(None)
        gradients = self._tunable.add_penalty(tape.gradient(objective, self._variables), self._variables)
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply(gradients, self._variables)
        return add_up(cross_entropies, logits, labels), losses  # what compares with validation; what was trained on

    def _smoothed(self, cross_entropies: Any, logits: Any) -> Any:
        smoothing = self.shape.label_smoothing
        if not smoothing:
            return cross_entropies
        uniform = tf.reduce_logsumexp(logits, axis=1) - tf.reduce_mean(logits, axis=1)
        return (1 - smoothing) * cross_entropies + smoothing * uniform

    def _weighted(self, losses: Any, labels: Any) -> Any:
        """The losses as they count in a step; what is reported, and what is hard, is judged without weights."""
        weights = self.shape.class_weights
        return losses if weights is None else losses * tf.gather(tf.constant(weights, tf.float32), labels)

    def _all_variables(self) -> list[Any]:
        return [*self.trainee.model.variables, *self._optimizer.variables]


def _compressed(array: np.ndarray) -> np.ndarray:
    """One value in the place of many equal ones, as the moments of an optimiser are at the beginning."""
    first = array.reshape(-1)[:1]
    return first.reshape(()) if (array == first).all() else array


def _random_bits(generator: np.random.Generator, count: int, units: int) -> np.ndarray:
    """Sixteen random bits for each unit and image, uint16 [count, units]; 64 at a time, which is five times as fast."""
    words = generator.integers(2**64 - 1, size=math.ceil(count * units / 4), dtype=np.uint64, endpoint=True)
    return words.view(np.uint16)[: count * units].reshape(count, units)
