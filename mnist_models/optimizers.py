"""Optimisers and learning-rate schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from mnist_models.records import Record

if TYPE_CHECKING:
    import keras

WARM_UP = 0.3  # share of a one-cycle schedule in which the rate rises
START = 0.05  # first rate of a one-cycle schedule, as a share of its peak


class Optimizer(Record):
    """An optimiser and its schedule.

    Attributes:
        name: "adam" (Kingma and Ba 2014) or "sgd" with Nesterov momentum.
        learning_rate: Constant, or the peak of the one-cycle schedule (Smith 2018).
        schedule: "constant" or "one_cycle": up from a twentieth of the peak and down to zero over the whole training.
        momentum: Of "sgd".
        weight_decay: Decoupled, for weight matrices and kernels; 0 for none.
    """

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)


def build(optimizer: Optimizer) -> keras.optimizers.Optimizer:
    """Builds the Keras optimiser; its learning rate is assigned at every step."""
    import keras

    weight_decay = optimizer.weight_decay or None
    if optimizer.name == "adam":
        built = keras.optimizers.Adam(optimizer.learning_rate, weight_decay=weight_decay)
    else:
        built = keras.optimizers.SGD(
            optimizer.learning_rate, momentum=optimizer.momentum, nesterov=True, weight_decay=weight_decay
        )
    if weight_decay:
        built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built


def learning_rates(optimizer: Optimizer, first_step: int, count: int, total: int) -> np.ndarray:
    """Returns the learning rates of some steps of a training.

    Args:
        optimizer: The schedule.
        first_step: Number of steps before the first of these.
        count: Number of steps.
        total: Number of steps of the whole training.

    Returns:
        float32 [count].
    """
    if optimizer.schedule == "constant":
        return np.full(count, optimizer.learning_rate, dtype=np.float32)
    progress = (np.arange(first_step, first_step + count) + 1) / total
    shape = np.interp(progress, [0, WARM_UP, 1], [START, 1, 0])
    return (optimizer.learning_rate * shape).astype(np.float32)
