"""A program: a network, its optimiser and the graphs that train and evaluate it, many steps at a call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from mnist_models.data.augmentation import Augmentation, draw_transforms, transform
from mnist_models.data.dataset import Images
from mnist_models.optimizers.optimizer import build_optimizer
from mnist_models.programs.calibration import fit_temperature
from mnist_models.programs.evaluating import BATCH, Evaluating
from mnist_models.programs.graphs import batches, compile_graph, scale_pixels, tensor_over
from mnist_models.programs.shape import Shape
from mnist_models.programs.stepping import Stepping
from mnist_models.programs.trainee import Trainee
from mnist_models.programs.tunable import Tunable

CHUNK_IMAGES = 6_400  # at a call of the graph: enough to hide Python, and few enough that their random bits are small
RECALIBRATION_BATCH = 500
RECALIBRATION_IMAGES = 30_000  # 60 batches: with a momentum of 0.9, what was seen in training is forgotten
CALIBRATION_IMAGES = 10_000


class Program:
    """Trains and evaluates a network, as it is told: it knows of no epochs and of no schedule.

    After `begin` it computes the same, to the bit, as a new program of its shape.

    Args:
        shape: What its graphs depend on.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._trainee = Trainee(shape)
        self._optimizer = build_optimizer(shape.optimizer)
        self._optimizer.build(self._trainee.model.trainable_variables)
        self._tunable = Tunable(self._trainee.model)
        self._stepping = Stepping(shape, self._trainee, self._optimizer, self._tunable)
        self._evaluating = Evaluating(shape.image_shape, self._trainee)
        self._observe = compile_graph(
            lambda pixels: self._trainee.one_view(scale_pixels(pixels), training=True),
            tf.TensorSpec([None, *shape.image_shape], tf.uint8),
        )
        self._initial = [_compressed(variable.numpy()) for variable in self._variables()]

    def begin(self, seed: int, hyperparameters: dict[str, Any]) -> None:
        """Starts a training.

        Args:
            seed: Determines the first weights.
            hyperparameters: Of this shape; what they say of dropout and L2 is taken over.
        """
        for variable, value in zip(self._variables(), self._initial, strict=True):
            variable.assign(np.broadcast_to(value, variable.shape))
        self._trainee.draw_weights(seed)
        self._tunable.set(hyperparameters)

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
            Mean loss and accuracy over these steps, and the loss of each image in the order given, float32 [n].
        """
        transforms = draw_transforms(ranges, len(order), self.shape.image_shape, generator)
        pixels, labels = tensor_over(images.x), tensor_over(images.y)
        totals, every_loss = np.zeros(2), []
        chunk_steps = max(CHUNK_IMAGES // self.shape.batch_size, 1)
        for steps in batches(len(rates), chunk_steps):
            rows = slice(steps.start * self.shape.batch_size, steps.stop * self.shape.batch_size)
            bits = _random_bits(generator, len(order[rows]), self._tunable.units)
            some, losses = self._stepping.run(pixels, labels, order[rows], transforms[rows], bits, rates[steps])
            totals += some.numpy()
            every_loss.append(losses.numpy())
        loss, accuracy = totals / len(order)
        return float(loss), float(accuracy), np.concatenate(every_loss)

    def recalibrate(self, images: Images, generator: np.random.Generator) -> None:
        """Lets batch normalisation see images as they will be: augmented ones have other statistics."""
        chosen = generator.permutation(len(images))[:RECALIBRATION_IMAGES]
        for rows in batches(len(chosen), RECALIBRATION_BATCH):
            self._observe(images.x[chosen[rows]])

    def calibrate(self, images: Images, ranges: Augmentation | None, generator: np.random.Generator) -> None:
        """Divides the logits by the temperature that suits training images, newly augmented."""
        self._trainee.update_evaluated()
        network = self._trainee.evaluated(all_views=False)
        chosen = generator.permutation(len(images))[:CALIBRATION_IMAGES]
        transforms = draw_transforms(ranges, len(chosen), self.shape.image_shape, generator)
        logits = []
        for rows in batches(len(chosen), BATCH):
            seen = transform(scale_pixels(images.x[chosen[rows]]), transforms[rows], self.shape.interpolation)
            logits.append(network(seen, training=False).numpy())
        temperature = fit_temperature(np.concatenate(logits), images.y[chosen])
        for variable in self._trainee.one_view.get_layer("logits").trainable_variables:
            variable.assign(variable / temperature)

    def evaluate(self, images: Images, *, all_views: bool = True) -> tuple[float, float]:
        """Returns mean loss and accuracy on some images.

        Args:
            images: What to evaluate on.
            all_views: As the finished model sees them; else by the one view that it was trained on, which is cheaper.
        """
        self._trainee.update_evaluated()
        return self._evaluating.run(images, all_views=all_views)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return self._trainee.parameters

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the model's weights, by number."""
        return self._trainee.weights()

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that training changes: weights, seed generators, optimiser; by number."""
        return {f"{number:03d}": variable.numpy() for number, variable in enumerate(self._variables())}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Sets what `state` returned."""
        for number, variable in enumerate(self._variables()):
            variable.assign(state[f"{number:03d}"])

    def _variables(self) -> list[Any]:
        return [*self._trainee.model.variables, *self._optimizer.variables]


def _compressed(array: np.ndarray) -> np.ndarray:
    """One value in the place of many equal ones, as the moments of an optimiser are at the beginning."""
    first = array.reshape(-1)[:1]
    return first.reshape(()) if (array == first).all() else array


def _random_bits(generator: np.random.Generator, count: int, units: int) -> np.ndarray:
    """Sixteen random bits for each unit and image, uint16 [count, units]; 64 at a time, which is five times as fast."""
    words = generator.integers(2**64 - 1, size=math.ceil(count * units / 4), dtype=np.uint64, endpoint=True)
    return words.view(np.uint16)[: count * units].reshape(count, units)
