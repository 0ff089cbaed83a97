"""How much memory a worker needs for a training, before it has any; and how many images a step can take."""

from __future__ import annotations

from mnist_models.data.dataset import evaluation_batch
from mnist_models.networks.footprint import footprint
from mnist_models.programs.shape import Shape

EMPTY = 480_000_000  # bytes of a worker that has imported TensorFlow
PARAMETER = 80  # bytes: weights twice, gradient, moments, what they began as, and a checkpoint while it is written
ACTIVATION = {"float32": 4.4, "bfloat16": 2.2}  # bytes of a value that training keeps, with what comes and goes
EVALUATED = 2.0  # bytes of the same where the network is evaluated, in float32: most of it is not kept
MOST_ACTIVATIONS = 400_000_000  # bytes of a step: more than twice what any network of ours needs for MNIST
FEWEST = 16  # images of a step: with fewer, statistics of a batch mean little


def expected_memory(shape: Shape) -> int:
    """Returns the bytes that a worker is expected to need at most for trainings of a shape.

    Measured against 128 × 128 × 3 and 28 × 28 × 1, it is right within a third.
    """
    network = footprint(shape.network, shape.image_shape, shape.classes, shape.hyperparameters)
    trained = ACTIVATION[shape.precision] * network.activations * shape.batch_size
    evaluated = EVALUATED * network.activations * evaluation_batch(shape.image_shape)
    return round(EMPTY + PARAMETER * network.parameters + trained + evaluated)


def fitting_batch(shape: Shape) -> int:
    """Returns the images of a step whose activations fit a worker: those of the shape, or a half, a quarter of them."""
    network = footprint(shape.network, shape.image_shape, shape.classes, shape.hyperparameters)
    size = shape.batch_size
    while size // 2 >= FEWEST and ACTIVATION[shape.precision] * network.activations * size > MOST_ACTIVATIONS:
        size //= 2
    return size
