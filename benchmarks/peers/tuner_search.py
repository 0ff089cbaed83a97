"""KerasTuner's own `Tuner.search` with plain Keras models, as a process that prints its figures: the other side.

    python -m benchmarks.peers.tuner_search fully_connected_hyperband --trials 12 --epochs 5

Written from the published description of the original's stages, with their batch sizes; run as KerasTuner documents it,
on all cores. The trials are random proposals of the oracle that the pipeline's side asks with the same seed, so both
train the same hyperparameters. The time runs from the first proposal to the last result, with TensorFlow imported
before: what a search of hours costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.studies import peak_memory, trial_arguments

IMAGE_SIZE = (28, 28, 1)


@dataclass(frozen=True)
class OriginalSearch:
    """How the original trains the trials of a stage.

    Attributes:
        build: Makes a compiled Keras model of hyperparameters.
        batch_size: Images per step.
        patience: Early stopping's, on the validation loss; None for none.
    """

    build: Callable[[Any], Any]
    batch_size: int
    patience: int | None = None


def main() -> None:
    """Runs it."""
    options = trial_arguments(__doc__, SEARCHES).parse_args()
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        sys.stdout.write(json.dumps(search(options, folder)) + "\n")


def search(options: argparse.Namespace, folder: str) -> dict[str, float]:
    """Searches; returns seconds and the process's peak memory."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import keras_tuner
    import numpy as np

    from mnist_models.data.plan import VALIDATION_SHARE
    from mnist_models.data.preprocessing import EMBEDDED
    from mnist_models.search import spaces

    original = SEARCHES[options.space]
    with np.load(EMBEDDED) as arrays:
        x = arrays["x_train"][: options.images, ..., np.newaxis] / np.float32(255)
        y = arrays["y_train"][: options.images]
    held_out = len(x) // VALIDATION_SHARE
    tuner = keras_tuner.BayesianOptimization(
        original.build,
        objective="val_loss",
        max_trials=options.trials,
        num_initial_points=options.trials,
        hyperparameters=spaces.search_space(options.space),
        tune_new_entries=False,
        seed=options.seed,
        directory=folder,
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=original.patience, restore_best_weights=True)
    start = time.perf_counter()
    tuner.search(
        x[held_out:],
        y[held_out:],
        epochs=options.epochs,
        batch_size=options.batch_size or original.batch_size,
        validation_data=(x[:held_out], y[:held_out]),
        callbacks=[stop] if original.patience else [],
        verbose=0,
    )
    return {"seconds": time.perf_counter() - start, "peak_bytes": peak_memory(os.getpid())}


def build_grid(hp: Any) -> Any:
    """Dense layers of constant or halving size; Adam."""
    from keras import Sequential, layers

    model = Sequential([layers.Input(IMAGE_SIZE), layers.Flatten()])
    size = hp.get("hidden_layer_size")
    for _ in range(hp.get("depth")):
        model.add(layers.Dense(size, hp.get("activation")))
        size //= 2 if hp.get("size_variation") == "half" else 1
    model.add(layers.Dense(10, activation="softmax"))
    return _compiled(model, 1e-3)


def build_fully_connected(hp: Any) -> Any:
    """Dense layers with L2 and dropout; Adam."""
    from keras import Sequential, layers, regularizers

    model = Sequential([layers.Input(IMAGE_SIZE), layers.Flatten()])
    for _ in range(hp.get("depth")):
        decay = regularizers.L2(hp.get("l2_strength"))
        model.add(layers.Dense(hp.get("hidden_layer_size"), hp.get("activation"), kernel_regularizer=decay))
        model.add(layers.Dropout(hp.get("dropout_rate")))
    model.add(layers.Dense(10, activation="softmax"))
    return _compiled(model, hp.get("learning_rate"))


def build_cnn(hp: Any) -> Any:
    """Blocks of convolution and subsampling, dense; batch normalisation before each activation, or as the original."""
    from keras import Sequential, layers

    model = Sequential([layers.Input(IMAGE_SIZE)])
    original = hp.get("block_type") == "activation_first"

    def add_normalized(layer: Any) -> None:
        model.add(layer)
        parts = [layers.BatchNormalization(momentum=0.9), layers.Activation(hp.get("activation"))]
        for part in reversed(parts) if original else parts:
            model.add(part)

    for block in range(hp.get("num_conv_layers")):
        filters = hp.get("num_filters_sub_layers" if block else "num_filters_first_layer")
        add_normalized(layers.Conv2D(filters, hp.get("kernel_size"), padding="same"))
        if hp.get("subsample_type") == "max_pool":
            model.add(layers.MaxPooling2D(2, padding="same"))
        else:
            add_normalized(layers.Conv2D(filters, 5, strides=2, padding="same"))
        if original:
            model.add(layers.Dropout(hp.get("dropout_rate")))
    model.add(layers.Flatten())
    add_normalized(layers.Dense(hp.get("dense_layer_size")))
    model.add(layers.Dropout(hp.get("dropout_rate")))
    model.add(layers.Dense(10, activation="softmax"))
    return _compiled(model, hp.get("learning_rate"))


def build_augmented(hp: Any) -> Any:
    """The architecture that the original found, behind those of Keras' layers for augmentation that do something."""
    from keras import layers

    from benchmarks.peers.original import build_original

    rotation, zoom = hp.get("rotation_range"), hp.get("zoom_range")
    shifts = hp.get("height_shift_range"), hp.get("width_shift_range")
    augmentation = [layers.RandomRotation(rotation)] if rotation else []
    augmentation += [layers.RandomZoom(zoom)] if zoom else []
    augmentation += [layers.RandomTranslation(*shifts)] if any(shifts) else []
    return _compiled(build_original(augmentation, hp.get("dropout_rate")), hp.get("learning_rate"))


def build_final(hp: Any) -> Any:
    """The original's final recipe, with another learning rate."""
    from benchmarks.peers.original import build_original

    return _compiled(build_original(), hp.get("learning_rate"))


def _compiled(model: Any, learning_rate: float) -> Any:
    import keras

    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


SEARCHES = {
    "fully_connected_grid": OriginalSearch(build_grid, batch_size=100, patience=2),
    "fully_connected_hyperband": OriginalSearch(build_fully_connected, batch_size=64),
    "cnn_bayesian": OriginalSearch(build_cnn, batch_size=256),
    "cnn_augmentation": OriginalSearch(build_augmented, batch_size=256),
    "cnn_learning_rate": OriginalSearch(build_final, batch_size=256, patience=5),
}


if __name__ == "__main__":
    main()
