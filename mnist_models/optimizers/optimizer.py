"""Optimisers and learning-rate schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from mnist_models.foundation.records import Record

if TYPE_CHECKING:
    import keras

Schedule = Literal["constant", "one_cycle", "linear", "cooldown"]
WARM_UP = 0.3  # share of a one-cycle schedule in which the rate rises
START = 0.05  # first rate of a one-cycle schedule, as a share of its peak


class Optimizer(Record):
    """An optimiser and its schedule.

    Attributes:
        name: "adam" (Kingma and Ba 2014), "sgd" with Nesterov momentum, or "muon" (Jordan et al. 2024) for the kernels
            of convolutions, with "sgd" for all else.
        learning_rate: Constant, or the highest of the schedule.
        schedule: "constant"; "one_cycle" (Smith 2018), up from a twentieth and down to zero; "linear", down to
            zero; or "cooldown" (Zhai et al. 2022), constant, and down to zero over the last epoch.
        momentum: Of "sgd" and "muon".
        weight_decay: For weight matrices and kernels; 0 for none. "muon" applies it to what "sgd" updates.
        sgd_factor: Of "muon": learning rate of its "sgd", as a multiple of `learning_rate`.
    """

    name: Literal["adam", "sgd", "muon"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Schedule = "constant"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    sgd_factor: float = Field(default=3.0, gt=0)


def build_optimizer(optimizer: Optimizer) -> keras.optimizers.Optimizer:
    """Builds the Keras optimiser; its learning rate is assigned at every step."""
    import keras

    rate, decay = optimizer.learning_rate, optimizer.weight_decay or None
    if optimizer.name == "muon":
        from mnist_models.optimizers.muon import Muon

        return Muon(rate, optimizer.momentum, optimizer.weight_decay, optimizer.sgd_factor)
    if optimizer.name == "adam":
        from mnist_models.optimizers.adam import FusedAdam

        built = FusedAdam(rate, weight_decay=decay)
    else:
        built = keras.optimizers.SGD(rate, momentum=optimizer.momentum, nesterov=True, weight_decay=decay)
    if decay:
        built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built


def learning_rates(optimizer: Optimizer, first_step: int, count: int, total: int, last: int = 0) -> np.ndarray:
    """Returns the learning rates of some steps of a training.

    Args:
        optimizer: The schedule.
        first_step: Number of steps before the first of these.
        count: Number of steps.
        total: Number of steps of the whole training.
        last: Number of steps of its last epoch.

    Returns:
        float32 [count].
    """
    steps = np.arange(first_step, first_step + count)
    if optimizer.schedule == "constant":
        shape = np.ones(count)
    elif optimizer.schedule == "linear":
        shape = 1 - steps / total
    elif optimizer.schedule == "cooldown":
        shape = np.minimum((total - steps) / max(last, 1), 1)
    else:
        shape = np.interp((steps + 1) / total, [0, WARM_UP, 1], [START, 1, 0])
    return (optimizer.learning_rate * shape).astype(np.float32)
