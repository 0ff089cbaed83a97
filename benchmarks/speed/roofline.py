"""How near to the machine's peak a training step runs: multiply-adds of each network, and what one thread reaches.

    python -m benchmarks.speed.roofline [--quick] [--json FILE]

The peak is that of a product of two large matrices, in float32 and in bfloat16. A training step counts three times the
multiply-adds of the forward pass (outputs, gradients of the inputs, gradients of the weights), less the first layer's
gradients of the inputs, which nobody needs; two operations each. All else that a step does (normalisation, activation,
dropout, augmentation, optimiser, reading) counts as time and not as work. One thread, TensorFlow as in a worker.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, report
from flows.recipe import recipe_study
from mnist_models.foundation.settings import Settings
from mnist_models.training.specification import TrainingSpec

if TYPE_CHECKING:
    from mnist_models.data.dataset import DatasetReference, Images

SIZE = 2048  # rows and columns of the large matrices
PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
CNN: dict[str, Any] = {"num_filters_first_layer": 32, "num_filters_sub_layers": 64, "kernel_size": 3}


def specs() -> dict[str, TrainingSpec]:
    """The networks that are looked at, smallest first."""

    def fully_connected(size: int, depth: int, batch_size: int) -> TrainingSpec:
        hyperparameters = {"hidden_layer_size": size, "depth": depth}
        return TrainingSpec(network="fully_connected", hyperparameters=hyperparameters, batch_size=batch_size, epochs=9)

    baseline = {**CNN, "num_conv_layers": 2, "dense_layer_size": 64, "batch_normalization": False}
    largest = {**CNN, "num_conv_layers": 3, "kernel_size": 5, "subsample_type": "strided_conv", "dense_layer_size": 256}
    return {
        "fully connected 2 × 32, batch 64": fully_connected(32, 2, 64),
        "fully connected 1 × 256, batch 64": fully_connected(256, 1, 64),
        "fully connected 4 × 512, batch 256": fully_connected(512, 4, 256),
        "CNN baseline, batch 256": TrainingSpec(network="cnn", hyperparameters=baseline, batch_size=256, epochs=9),
        "CNN, the space's largest, batch 256": TrainingSpec(
            network="cnn", hyperparameters=largest, batch_size=256, epochs=9
        ),
        "residual, batch 128": recipe_study(Settings()).template.model_copy(update={"epochs": 9}),
    }


def multiply_adds(model: Any) -> tuple[int, int]:
    """Returns those of one image's forward pass, in all and of the first layer that has weights."""
    each = []
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "kernel"):
            positions = math.prod(layer.output.shape[1:-1])
            each.append(positions * math.prod(layer.kernel.shape))
    return sum(each), each[0]


def peak(precision: str, repetitions: int) -> list[float]:
    """Measures the product of two large matrices on this thread, in GFLOP/s."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal([SIZE, SIZE]), precision)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    product()
    return [2 * SIZE**3 / _seconds(lambda: product().numpy()) / 1e9 for _ in range(repetitions)]


def reached(spec: TrainingSpec, dataset: DatasetReference, images: Images, repetitions: int) -> tuple[list[float], int]:
    """Measures a training's GFLOP/s; returns them and the multiply-adds of one image's forward pass."""
    from mnist_models.programs.kept import program_of

    program = program_of(spec.shape(dataset))
    program.begin(spec.seed, spec.hyperparameters)
    forward, first = multiply_adds(program.trainee.one_view)
    work = 2 * (3 * forward - first) * len(images)
    rates = np.full(math.ceil(len(images) / spec.batch_size), 1e-3, np.float32)

    def train_epoch(epoch: int) -> None:
        generator = np.random.default_rng(epoch)
        order = generator.permutation(len(images)).astype(np.int32)
        program.train(images, order, rates, spec.augmentation, generator)

    train_epoch(0)
    return [work / _seconds(lambda: train_epoch(1)) / 1e9 for _ in range(repetitions)], forward


def on_one_thread(count: int) -> tuple[DatasetReference, Images]:
    """Makes TensorFlow compute on one thread, and returns MNIST and so many of its training images."""
    import tensorflow as tf

    from mnist_models.data.dataset import Images, read_split
    from mnist_models.data.preprocessing import preprocess
    from mnist_models.foundation.store import Store

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        dataset = preprocess(store, data=None, images=None, seed=1, key="roofline")
        split = read_split(store, dataset, "train")
        images = Images(split.x[:count], split.y[:count])
    return dataset, images


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    repetitions, count = (1, 500) if options.quick else (5, 12_800)
    dataset, images = on_one_thread(count)
    figures, claims = [], []
    peaks = {}
    for precision in PRECISIONS:
        figures.append(Figure(f"peak, {precision}", "GFLOP/s", peak(precision, repetitions)))
        peaks[precision] = figures[-1].median
    for name, spec in specs().items():
        for precision in PRECISIONS:
            speeds, forward = reached(spec.model_copy(update={"precision": precision}), dataset, images, repetitions)
            figures.append(Figure(f"{name}, {precision}", "GFLOP/s", speeds))
            share = statistics.median(speeds) / peaks[precision]
            claims.append(Ratio(f"{name} ({forward / 1e6:.2f} M multiply-adds), {precision}: of peak", share))
    report("Roofline, one thread", figures, claims, options)


if __name__ == "__main__":
    main(arguments(__doc__).parse_args())
