"""The network of a program: as it is trained, and as it is evaluated, calibrated and kept."""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_models.data.augmentation import Augmentation, draw_transforms, transform
from mnist_models.data.dataset import Images, evaluation_batch
from mnist_models.networks.by_name import build_network
from mnist_models.programs.calibration import fit_temperature
from mnist_models.programs.graphs import add_up, batches, compile_graph, image_signature, scale_pixels, tensor_over
from mnist_models.programs.shape import Shape

RECALIBRATION_IMAGES = 30_000
RECALIBRATION_BATCHES = 60  # with a momentum of 0.9, what was seen in training is forgotten
CALIBRATION_IMAGES = 10_000


class Trainee:
    """A built network, twice where it is trained in bfloat16: what is evaluated and kept is float32.

    Args:
        shape: What to build.

    Attributes:
        model: The network that is trained; with the precision "bfloat16", its convolutions and products are computed
            in bfloat16, as fast again where the CPU has instructions for it. Weights and statistics are float32.
        one_view: That network without its softmax, on one view of an image where it averages several.
        judged: Of the images evaluated last: "losses", float32 [n], and "correct", bool [n].
    """

    def __init__(self, shape: Shape) -> None:
        keras.backend.clear_session(free_memory=False)  # collecting garbage would take as long as building
        self._shape = shape
        self._reference = _build(shape, "float32")
        self.model = self._reference if shape.precision == "float32" else _build(shape, "mixed_bfloat16")
        self.one_view = _one_view(self.model)
        self.judged: dict[str, np.ndarray] = {}
        signature = image_signature(shape.image_shape)
        self._evaluate = {
            all_views: compile_graph(functools.partial(_evaluate, network), input_signature=signature)
            for all_views, network in ((True, _logits(self._reference)), (False, _one_view(self._reference)))
        }
        self._observe = compile_graph(
            lambda pixels: self.one_view(scale_pixels(pixels), training=True), input_signature=signature[:1]
        )

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(variable.shape) for variable in self.model.trainable_variables)

    def draw_weights(self, seed: int) -> None:
        """Sets kernels and seed generators to what a seed determines; all else stays as it is."""
        for number, layer in enumerate(self.model._flatten_layers(include_self=False)):
            own_seed = int(np.random.default_rng([seed, number]).integers(2**31))
            if hasattr(layer, "kernel"):
                initializer = layer.kernel_initializer
                redrawn = type(initializer).from_config({**initializer.get_config(), "seed": own_seed})
                layer.kernel.assign(redrawn(layer.kernel.shape))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([own_seed, 0])

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the network's weights, by number."""
        return {f"{number:03d}": np.array(weight) for number, weight in enumerate(self.model.get_weights())}

    def evaluate(self, images: Images, *, all_views: bool = True) -> tuple[float, float]:
        """Returns mean loss and accuracy on some images.

        Args:
            images: What to evaluate on.
            all_views: As the finished model sees them; else by the one view that it was trained on, which is cheaper.
        """
        self._update_reference()
        totals, losses, correct = self._evaluate[all_views](tensor_over(images.x), tensor_over(images.y))
        self.judged = {"losses": losses.numpy(), "correct": correct.numpy()}
        loss, accuracy = totals.numpy() / len(images)
        return float(loss), float(accuracy)

    def recalibrate(self, images: Images, generator: np.random.Generator, seen: int) -> None:
        """Lets batch normalisation see images as they will be: augmented ones have other statistics.

        Args:
            images: Of which to show some.
            generator: Where the choice comes from.
            seen: At most so many: as were trained on.
        """
        chosen = generator.permutation(len(images))[: min(RECALIBRATION_IMAGES, seen)]
        largest = 2 * evaluation_batch(self._shape.image_shape)
        for rows in batches(len(chosen), min(math.ceil(len(chosen) / RECALIBRATION_BATCHES), largest)):
            self._observe(images.x[chosen[rows]])

    def calibrate(self, images: Images, ranges: Augmentation | None, generator: np.random.Generator) -> None:
        """Divides the logits by the temperature that suits training images, newly augmented."""
        self._update_reference()
        network = _one_view(self._reference)
        chosen = generator.permutation(len(images))[:CALIBRATION_IMAGES]
        transforms = draw_transforms(ranges, len(chosen), self._shape.image_shape, generator)
        logits = []
        for rows in batches(len(chosen), evaluation_batch(self._shape.image_shape)):
            seen = transform(scale_pixels(images.x[chosen[rows]]), transforms[rows], self._shape.augmentation)
            logits.append(network(seen, training=False).numpy())
        temperature = fit_temperature(np.concatenate(logits), images.y[chosen])
        for variable in self.one_view.get_layer("logits").trainable_variables:
            variable.assign(variable / temperature)

    def _update_reference(self) -> None:
        """Gives the network that is evaluated the weights of the one that is trained."""
        if self._reference is not self.model:
            for variable, trained in zip(self._reference.variables, self.model.variables, strict=True):
                variable.assign(trained)


def _build(shape: Shape, policy: str) -> keras.Model:
    keras.config.set_dtype_policy(policy)
    try:
        return build_network(shape.network, shape.image_shape, shape.classes, shape.hyperparameters)
    finally:
        keras.config.set_dtype_policy("float32")


def _logits(model: keras.Model) -> Any:
    return keras.Model(model.input, model.get_layer("logits").output)


def _one_view(model: keras.Model) -> Any:
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None) or _logits(model)


def _evaluate(network: keras.Model, pixels: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Totals, float64 [2], and of each image the loss, float32 [n], and whether it is answered rightly, bool [n]."""
    size = evaluation_batch(tuple(pixels.shape[1:]))
    count = (tf.shape(labels)[0] + size - 1) // size

    def evaluate(batch: Any, totals: Any, every_loss: Any, every_answer: Any) -> tuple[Any, Any, Any, Any]:
        rows = slice(batch * size, (batch + 1) * size)
        logits = network(scale_pixels(pixels[rows]), training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels[rows], logits=logits)
        correct = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels[rows])
        totals = totals + add_up(losses, logits, labels[rows])
        return batch + 1, totals, every_loss.write(batch, losses), every_answer.write(batch, correct)

    arrays = [tf.TensorArray(kind, count, infer_shape=False, element_shape=[None]) for kind in (tf.float32, tf.bool)]
    start = (0, tf.zeros(2, tf.float64), *arrays)
    _, totals, every_loss, every_answer = tf.while_loop(
        lambda batch, *_: batch < count, evaluate, start, parallel_iterations=1
    )
    return totals, every_loss.concat(), every_answer.concat()
