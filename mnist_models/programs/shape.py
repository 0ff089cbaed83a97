"""The shape of a program: all that its graphs depend on, and nothing that can change without a new graph."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mnist_models.data.augmentation import Kind
from mnist_models.foundation.records import Record
from mnist_models.networks.by_name import Network
from mnist_models.optimizers.optimizer import Optimizer

TUNABLE = ("dropout_rate", "l2_strength")  # hyperparameters that change from training to training of one shape
SOME = 0.5  # stands for any dropout rate or L2 strength that is not 0

Precision = Literal["float32", "bfloat16"]


class Shape(Record):
    """What trainings that can use one program after the other have in common.

    They differ in learning rate, schedule, dropout rate, L2 strength, ranges of augmentation, images and seed, of which
    this record keeps nothing: it is the same for all of them.

    Attributes:
        network: Which network.
        hyperparameters: What its builder takes; dropout rate and L2 strength only tell whether there is any.
        image_shape: (height, width, channels).
        classes: Number of classes.
        optimizer: Without its learning rate and schedule.
        augmentation: What kind of; None for none.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: How much an image of each class counts in a step; None for all alike.
        batch_size: Images per step.
        precision: Of the products in training steps.
    """

    network: Network
    hyperparameters: dict[str, int | float | str | bool]
    image_shape: tuple[int, int, int]
    classes: int
    optimizer: Optimizer
    augmentation: Kind | None = None
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: tuple[float, ...] | None = None
    batch_size: int = Field(ge=1)
    precision: Precision = "float32"

    @field_validator("hyperparameters")
    @classmethod
    def _forget_tunable_values(cls, hyperparameters: dict[str, int | float | str | bool]) -> dict[str, object]:
        return {name: SOME if name in TUNABLE and value else value for name, value in hyperparameters.items()}

    @field_validator("optimizer")
    @classmethod
    def _forget_learning_rate(cls, optimizer: Optimizer) -> Optimizer:
        default = Optimizer()
        return optimizer.model_copy(update={"learning_rate": default.learning_rate, "schedule": default.schedule})
