"""What a model file does with images: how good its answers are, and how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_models.champion.record import Figures
from mnist_models.judging.quality import calibration
from mnist_models.judging.scores import score

if TYPE_CHECKING:
    import keras

CALLS = 40  # timed, of each model


def figures(probabilities: np.ndarray, labels: np.ndarray, milliseconds: float, size: int) -> Figures:
    """Returns the figures of a model's answers.

    Args:
        probabilities: float64 [n, classes].
        labels: Integers [n].
        milliseconds: For one image.
        size: Of the model's file, in bytes.
    """
    scores = score(probabilities, labels)
    return Figures(
        images=len(labels),
        accuracy=scores["test_accuracy"],
        wilson_95=scores["wilson_95"],
        loss=scores["test_loss"],
        calibration_error=calibration(probabilities, labels).ece,
        milliseconds=milliseconds,
        size=size,
    )


def load_model(path: Path) -> keras.Model:
    """Loads a `.keras` file without letting it run code."""
    import keras

    return keras.models.load_model(path, compile=False, safe_mode=True)


def single_image_milliseconds(models: Sequence[keras.Model], image: np.ndarray) -> list[float]:
    """Returns each model's median time for one image; they take turns, so that all see the same machine.

    Args:
        models: That take the image.
        image: float32 [height, width, channels].
    """
    import tensorflow as tf

    batch = tf.constant(image[np.newaxis])
    calls = [tf.function(model).get_concrete_function(batch) for model in models]
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(CALLS):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call(batch)
            taken.append(time.perf_counter() - start)
    return [1e3 * statistics.median(taken) for taken in times]
