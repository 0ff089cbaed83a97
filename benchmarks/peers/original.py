"""The original project's final recipe: plain Keras, written from its published description, run as a user would."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from mnist_models.data.plan import VALIDATION_SHARE
from mnist_models.data.preprocessing import EMBEDDED

EPOCHS = 100  # at most
PATIENCE = 5
BATCH_SIZE = 256


def train_original(seed: int, images: int | None, epochs: int = EPOCHS) -> tuple[float, float]:
    """Trains until early stopping ends it, with all cores, and reads the test set.

    Args:
        seed: Of weights, order, augmentation and dropout.
        images: Train and validate on the first so many; None for all 60,000.
        epochs: At most this many.

    Returns:
        The time (seconds since 1970) at which `fit` returned, and the test accuracy.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    keras.utils.set_random_seed(seed)
    with np.load(EMBEDDED) as arrays:
        x_train, y_train = arrays["x_train"][:images, ..., np.newaxis] / np.float32(255), arrays["y_train"][:images]
        x_test, y_test = arrays["x_test"][..., np.newaxis] / np.float32(255), arrays["y_test"]
    held_out = len(x_train) // VALIDATION_SHARE
    model = build_original()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE, restore_best_weights=True)
    model.fit(
        x_train[held_out:],
        y_train[held_out:],
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(x_train[:held_out], y_train[:held_out]),
        callbacks=[stop],
        verbose=0,
    )
    stopped = time.time()
    _, accuracy = model.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0)
    return stopped, float(accuracy)


def build_original(augmentation: list[Any] | None = None, dropout_rate: float = 0.2) -> Any:
    """Three blocks of 16, 32 and 32 filters, 5 × 5, each with a strided 5 × 5 convolution; dense 256; dropout.

    Batch normalisation follows every convolution and the dense layer.

    Args:
        augmentation: Layers before the first block. None for the final recipe's: rotation by up to 0.05 of a full turn,
            and shifts of up to 0.1 of the height and 0.15 of the width.
        dropout_rate: After the dense layer.
    """
    from keras import Sequential, layers

    if augmentation is None:
        augmentation = [layers.RandomRotation(0.05), layers.RandomTranslation(0.1, 0.15)]
    model = Sequential([layers.Input((28, 28, 1)), *augmentation])
    for filters in (16, 32, 32):
        for strides in (1, 2):
            model.add(layers.Conv2D(filters, 5, strides=strides, padding="same"))
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(256))
    model.add(layers.BatchNormalization())
    model.add(layers.ReLU())
    model.add(layers.Dropout(dropout_rate))
    model.add(layers.Dense(10, activation="softmax"))
    return model
