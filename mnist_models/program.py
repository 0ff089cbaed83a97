"""A network's training and evaluation as TensorFlow graphs that run many steps at a call."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from mnist_models import augmentation, calibration, hard_images, networks, optimizers
from mnist_models.dataset import MAXIMUM_PIXEL, Images
from mnist_models.tunable import Tunable

if TYPE_CHECKING:
    from mnist_models.training import TrainingSpec

CHUNK_IMAGES = 6_400  # at a call of the graph: enough to hide Python, and few enough that their random bits are small
ALIGNMENT = 64  # bytes that memory must be a multiple of, for TensorFlow to share it
VALIDATION_BATCH = 250  # in float32: with more, validation would be what needs the most memory
RECALIBRATION_BATCH = 500
RECALIBRATION_IMAGES = 30_000  # 60 batches: with a momentum of 0.9, what was seen in training is forgotten
CALIBRATION_IMAGES = 10_000


class Program:
    """A built network with its optimiser, ready to train.

    It can begin again with every specification of the same shape, see `mnist_models.kept_programs`; such a training
    computes the same to the bit as in a new program.

    With the precision "bfloat16", training steps compute convolutions and products in bfloat16, as fast again where the
    CPU has instructions for it; weights, statistics, optimiser and loss are float32. What is evaluated and kept is the
    same network in float32, the reference.

    Args:
        spec: What to train and how.
        image_shape: (height, width, channels).
        classes: Number of classes.
    """

    def __init__(self, spec: TrainingSpec, image_shape: tuple[int, int, int], classes: int) -> None:
        self.spec = spec
        self.image_shape = image_shape
        self.classes = classes
        self.hardness: np.ndarray | None = (
            None  # float32 [images]: smoothed loss of each, where shares are chosen by it
        )
        keras.backend.clear_session(free_memory=False)  # collecting garbage would take as long as building
        self.reference = self._build("float32")
        self.model = self.reference if spec.precision == "float32" else self._build("mixed_bfloat16")
        self.one_view = _one_view(self.model)
        self.optimizer = optimizers.build(spec.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self.tunable = Tunable(self.model)
        pixels = tf.TensorSpec([None, *image_shape], tf.uint8)
        labels = tf.TensorSpec([None], tf.int32)
        order = tf.TensorSpec([None], tf.int32)
        transforms = tf.TensorSpec([None, 8], tf.float32)
        rates = tf.TensorSpec([None], tf.float32)
        bits = tf.TensorSpec([None, self.tunable.units], tf.uint16)
        self._train = _graph(self._train_chunk, pixels, labels, order, transforms, bits, rates)
        self._evaluate = {
            all_views: _graph(functools.partial(self._evaluate_chunk, network), pixels, labels)
            for all_views, network in ((True, _logits(self.reference)), (False, _one_view(self.reference)))
        }
        self._observe = _graph(lambda seen: self.one_view(_scale(seen), training=True), pixels)
        self._initial = [_compressed(variable.numpy()) for variable in self._variables()]
        self.begin(spec)

    def begin(self, spec: TrainingSpec) -> None:
        """Sets all variables to the initial values that the seed of a specification of this shape determines."""
        self.spec = spec
        self.hardness = None
        for variable, value in zip(self._variables(), self._initial, strict=True):
            variable.assign(np.broadcast_to(value, variable.shape))
        for number, layer in enumerate(self.model._flatten_layers(include_self=False)):
            seed = int(np.random.default_rng([spec.seed, number]).integers(2**31))
            if hasattr(layer, "kernel"):
                initializer = layer.kernel_initializer
                redrawn = type(initializer).from_config({**initializer.get_config(), "seed": seed})
                layer.kernel.assign(redrawn(layer.kernel.shape))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([seed, 0])
        self.tunable.set(spec.hyperparameters)

    def _build(self, policy: str) -> keras.Model:
        keras.config.set_dtype_policy(policy)
        try:
            return networks.build(self.spec.network, self.image_shape, self.classes, self.spec.hyperparameters)
        finally:
            keras.config.set_dtype_policy("float32")

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(variable.shape) for variable in self.model.trainable_variables)

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the model's weights, by number."""
        return {f"{number:03d}": np.array(weight) for number, weight in enumerate(self.model.get_weights())}

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that training changes: weights, seed generators, optimiser, and the losses seen per image."""
        state = {f"{number:03d}": variable.numpy() for number, variable in enumerate(self._variables())}
        return state if self.hardness is None else {**state, "hardness": self.hardness}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Sets what `state` returned."""
        for number, variable in enumerate(self._variables()):
            variable.assign(state[f"{number:03d}"])
        self.hardness = state.get("hardness")

    def train_epoch(self, images: Images, epoch: int) -> tuple[float, float]:
        """Trains one epoch.

        Args:
            images: What to train on.
            epoch: Number of epochs before this one; with the seed, it determines order and augmentation.

        Returns:
            Mean loss and accuracy over the epoch, as it trained.
        """
        spec = self.spec
        generator = np.random.default_rng([spec.seed, epoch])
        order = self._choose(len(images), epoch, generator).astype(np.int32)
        steps = [self._steps(len(images), number) for number in range(spec.epochs)]
        rates = optimizers.learning_rates(spec.optimizer, sum(steps[:epoch]), steps[epoch], sum(steps))
        transforms = augmentation.draw_transforms(spec.augmentation, len(order), self.image_shape, generator)
        pixels, labels = _tensor(images.x), _tensor(images.y)
        totals = np.zeros(2)
        chunk_steps = max(CHUNK_IMAGES // spec.batch_size, 1)
        for first in range(0, steps[epoch], chunk_steps):
            rows = slice(first * spec.batch_size, (first + chunk_steps) * spec.batch_size)
            chosen = order[rows]
            bits = _random_bits(generator, len(chosen), self.tunable.units)
            chunk, losses = self._train(
                pixels, labels, chosen, transforms[rows], bits, rates[first : first + chunk_steps]
            )
            totals += chunk.numpy()
            if self.hardness is not None:
                hard_images.note_losses(self.hardness, chosen, losses.numpy())
        if spec.recalibrate and epoch + 1 == spec.epochs:
            self._recalibrate(images, generator)
        if spec.calibrate and epoch + 1 == spec.epochs:
            self._calibrate(images, generator)
        loss, accuracy = totals / len(order)
        return float(loss), float(accuracy)

    def _steps(self, count: int, epoch: int) -> int:
        share = 1.0 if self.spec.shares is None else self.spec.shares[epoch]
        return math.ceil(round(count * share) / self.spec.batch_size)

    def _choose(self, count: int, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """The images of an epoch, in order."""
        if self.spec.shares is None:
            return generator.permutation(count)
        if self.hardness is None:
            self.hardness = hard_images.unseen(count)
        return hard_images.choose(self.hardness, self.spec.shares[epoch], generator)

    def _recalibrate(self, images: Images, generator: np.random.Generator) -> None:
        """Lets batch normalisation see images as they will be: augmented ones have other statistics."""
        chosen = generator.permutation(len(images))[:RECALIBRATION_IMAGES]
        for rows in _batches(len(chosen), RECALIBRATION_BATCH):
            self._observe(images.x[chosen[rows]])

    def _calibrate(self, images: Images, generator: np.random.Generator) -> None:
        """Divides the logits by the temperature that suits training images, newly augmented."""
        self._set_reference()
        network = _one_view(self.reference)
        chosen = generator.permutation(len(images))[:CALIBRATION_IMAGES]
        ranges = self.spec.augmentation
        transforms = augmentation.draw_transforms(ranges, len(chosen), self.image_shape, generator)
        logits = []
        for rows in _batches(len(chosen), VALIDATION_BATCH):
            seen = augmentation.transform(ranges, _scale(images.x[chosen[rows]]), transforms[rows])
            logits.append(network(seen, training=False).numpy())
        temperature = calibration.fit_temperature(np.concatenate(logits), images.y[chosen])
        for variable in self.one_view.get_layer("logits").trainable_variables:
            variable.assign(variable / temperature)

    def evaluate(self, images: Images, *, all_views: bool = True) -> tuple[float, float]:
        """Returns mean loss and accuracy on some images.

        Args:
            images: What to evaluate on.
            all_views: As the finished model sees them; else by the one view that it was trained on, which is cheaper.
        """
        self._set_reference()
        totals = self._evaluate[all_views](_tensor(images.x), _tensor(images.y)).numpy()
        loss, accuracy = totals / len(images)
        return float(loss), float(accuracy)

    def _set_reference(self) -> None:
        """Gives the network that is evaluated, in float32, the weights of the one that is trained."""
        if self.reference is not self.model:
            for variable, trained in zip(self.reference.variables, self.model.variables, strict=True):
                variable.assign(trained)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables]

    def _train_chunk(
        self, pixels: Any, labels: Any, order: Any, transforms: Any, bits: Any, rates: Any
    ) -> tuple[Any, Any]:
        batch, steps = self.spec.batch_size, tf.shape(rates)[0]

        def train(step: Any, totals: Any, every_loss: Any) -> tuple[Any, Any, Any]:
            rows = slice(step * batch, (step + 1) * batch)
            images = augmentation.transform(
                self.spec.augmentation, _scale(tf.gather(pixels, order[rows])), transforms[rows]
            )
            some, losses = self._step(images, tf.gather(labels, order[rows]), bits[rows], rates[step])
            return step + 1, totals + some, every_loss.write(step, losses)

        every_loss = tf.TensorArray(tf.float32, steps, infer_shape=False, element_shape=[None])
        start = (0, tf.zeros(2, tf.float64), every_loss)
        _, totals, every_loss = tf.while_loop(lambda step, *_: step < steps, train, start, parallel_iterations=1)
        return totals, every_loss.concat()

    def _step(self, images: Any, labels: Any, bits: Any, rate: Any) -> tuple[Any, Any]:
        self.tunable.hand_out(bits)
        with tf.GradientTape() as tape:
            logits = self.one_view(images, training=True)
            losses = self._losses(labels, logits)
            objective = tf.reduce_mean(losses)
        self.tunable.hand_out(None)
        variables = self.model.trainable_variables
        gradients = self.tunable.add_penalty(tape.gradient(objective, variables), variables)
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(gradients, variables)
        return _totals(losses, logits, labels), losses

    def _losses(self, labels: Any, logits: Any) -> Any:
        smoothing = self.spec.label_smoothing
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        if smoothing:
            uniform = tf.reduce_logsumexp(logits, axis=1) - tf.reduce_mean(logits, axis=1)
            losses = (1 - smoothing) * losses + smoothing * uniform
        return losses

    def _evaluate_chunk(self, network: keras.Model, pixels: Any, labels: Any) -> Any:
        batches = (tf.shape(labels)[0] + VALIDATION_BATCH - 1) // VALIDATION_BATCH

        def evaluate(batch: Any, totals: Any) -> tuple[Any, Any]:
            rows = slice(batch * VALIDATION_BATCH, (batch + 1) * VALIDATION_BATCH)
            logits = network(_scale(pixels[rows]), training=False)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels[rows], logits=logits)
            return batch + 1, totals + _totals(losses, logits, labels[rows])

        start = (0, tf.zeros(2, tf.float64))
        return tf.while_loop(lambda batch, _: batch < batches, evaluate, start, parallel_iterations=1)[1]


def _compressed(array: np.ndarray) -> np.ndarray:
    """One value in the place of many equal ones, as the moments of an optimiser are at the beginning."""
    first = array.reshape(-1)[:1]
    return first.reshape(()) if (array == first).all() else array


def _tensor(array: np.ndarray) -> Any:
    """A tensor over an array's own memory, where that is aligned as TensorFlow's kernels expect it; else a copy."""
    if array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous or not array.flags.writeable:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _random_bits(generator: np.random.Generator, count: int, units: int) -> np.ndarray:
    """Sixteen random bits for each unit and image, uint16 [count, units]; 64 at a time, which is five times as fast."""
    words = generator.integers(2**64 - 1, size=math.ceil(count * units / 4), dtype=np.uint64, endpoint=True)
    return words.view(np.uint16)[: count * units].reshape(count, units)


def _graph(function: Callable[..., Any], *signature: tf.TensorSpec) -> Callable[..., Any]:
    """Compiles a function, as it is: autograph would rewrite it into files that a killed worker leaves behind."""
    compiled: Callable[..., Any] = tf.function(function, input_signature=signature, autograph=False)
    return compiled


def _logits(model: keras.Model) -> keras.Model:
    """The network without its softmax."""
    return keras.Model(model.input, model.get_layer("logits").output)


def _one_view(model: keras.Model) -> keras.Model:
    """The network without its softmax, as it is trained: on one view of an image where it averages several."""
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None) or _logits(model)


def _batches(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]


def _scale(pixels: Any) -> Any:
    return tf.cast(pixels, tf.float32) / MAXIMUM_PIXEL


def _totals(losses: Any, logits: Any, labels: Any) -> Any:
    """Sum of the losses and number of correct answers, float64 [2]."""
    correct = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
    return tf.stack([tf.reduce_sum(tf.cast(losses, tf.float64)), tf.reduce_sum(tf.cast(correct, tf.float64))])
