"""Evaluation as graphs, in float32: on all views of an image, or on one."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from mnist_models.data.dataset import Images
from mnist_models.programs.graphs import add_up, compile_graph, image_signature, scale_pixels, tensor_over
from mnist_models.programs.trainee import Trainee

BATCH = 250  # in float32: with more, validation would be what needs the most memory


class Evaluating:
    """The graphs that evaluate a network.

    Args:
        image_shape: (height, width, channels).
        trainee: The network.
    """

    def __init__(self, image_shape: tuple[int, int, int], trainee: Trainee) -> None:
        self._graphs = {
            all_views: compile_graph(
                functools.partial(_evaluate, trainee.evaluated(all_views=all_views)), *image_signature(image_shape)
            )
            for all_views in (True, False)
        }

    def run(self, images: Images, *, all_views: bool) -> tuple[float, float]:
        """Returns mean loss and accuracy on some images."""
        totals = self._graphs[all_views](tensor_over(images.x), tensor_over(images.y)).numpy()
        loss, accuracy = totals / len(images)
        return float(loss), float(accuracy)


def _evaluate(network: keras.Model, pixels: Any, labels: Any) -> Any:
    batches = (tf.shape(labels)[0] + BATCH - 1) // BATCH

    def evaluate(batch: Any, totals: Any) -> tuple[Any, Any]:
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        logits = network(scale_pixels(pixels[rows]), training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels[rows], logits=logits)
        return batch + 1, totals + add_up(losses, logits, labels[rows])

    start = (0, tf.zeros(2, tf.float64))
    return tf.while_loop(lambda batch, _: batch < batches, evaluate, start, parallel_iterations=1)[1]
