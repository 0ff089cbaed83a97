"""What a training is to be: everything that can change its outcome, besides data and code."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import Record, digest
from mnist_models.networks.by_name import Network
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.programs.shape import Precision, Shape

CURVE_IMAGES = 2_500  # to validate an epoch whose weights are not kept


class TrainingSpec(Record):
    """Everything that can change the outcome of a training, besides data and code.

    Attributes:
        network: Which network.
        hyperparameters: What its `build` takes.
        optimizer: Optimiser and schedule.
        augmentation: Of the training images; None for none.
        label_smoothing: Share of the target that is spread over all classes (Szegedy et al. 2016).
        class_weights: How much an image of each class counts in a step; None for all alike.
        batch_size: Images per step.
        epochs: At most this many.
        shares: How often each epoch passes over the images, one number per epoch; None for once, always.
        selection: What a pass over less than all images takes: "hard", one half those with the highest losses so far
            and the other half at random from the rest (selective backpropagation: Jiang et al. 2019); or "random".
        recalibrate: After the last epoch, take the statistics of batch normalisation from images without augmentation.
        calibrate: After the last epoch, divide the logits by a temperature (Guo et al. 2017) that is fitted on newly
            augmented training images: label smoothing makes a network less sure than it should be.
        patience: Stop after so many epochs without a lower validation loss; None to train all epochs.
        validation: Validate after "every" epoch, or only after the "last"; where only the last epoch's weights can be
            kept, earlier ones are validated on `CURVE_IMAGES`, for the curve.
        validation_images: Validate on so many images, the first; None for all.
        keep: The weights to end with: "best" of all epochs by validation loss, or "last".
        precision: Of the products in training steps; evaluation and weights are float32.
        split: What to train on: "train", validated after each epoch, or "train+validation".
        seed: Of initial weights, order, augmentation and dropout.
    """

    network: Network
    hyperparameters: dict[str, int | float | str | bool]
    optimizer: Optimizer = Optimizer()
    augmentation: Augmentation | None = None
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    batch_size: int = Field(default=64, ge=1)
    epochs: int = Field(ge=1)
    shares: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    selection: Literal["hard", "random"] = "hard"
    recalibrate: bool = False
    calibrate: bool = False
    patience: int | None = Field(default=None, ge=1)
    validation: Literal["every", "last"] = "every"
    validation_images: int | None = Field(default=None, ge=1)
    keep: Literal["best", "last"] = "best"
    precision: Precision = "float32"
    split: Literal["train", "train+validation"] = "train"
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.shares is not None and len(self.shares) != self.epochs:
            raise ValueError(f"Expected a share for each of {self.epochs} epochs. Received: {len(self.shares)}")
        return self

    def key(self, dataset: DatasetReference, purpose: str) -> str:
        """Cache key of this training: specification, data and code.

        Args:
            dataset: What it trains on.
            purpose: "trial", whose weights are not kept, "finalist", which keeps its validation losses, or "model".
        """
        code = code_fingerprint("training.loop", f"networks.{self.network}")
        return f"{purpose}-{digest([self.model_dump(mode='json'), dataset.fingerprint, code])}"

    def lineage(self) -> str:
        """Names the trainings that share their first epochs, and so a checkpoint.

        A constant learning rate does not depend on the number of epochs: a trial that is promoted to more of them goes
        on where it stopped, or, with a cooldown, where that began. A checkpoint says itself how far it is, by which
        shares.
        """
        if self.optimizer.schedule not in ("constant", "cooldown"):
            return self.digest
        return self.model_copy(update={"epochs": 1, "shares": None, "validation_images": None}).digest

    @property
    def trunk_epochs(self) -> int:
        """The epochs after which its checkpoint serves trainings that are longer, too: all but a cooldown."""
        return self.epochs - (self.optimizer.schedule == "cooldown")

    @property
    def compares_epochs(self) -> bool:
        """Whether the validation loss of an epoch decides something before the last."""
        return self.keep == "best" or self.patience is not None

    def shape(self, dataset: DatasetReference) -> Shape:
        """What this training has in common with those that can use the same program."""
        return Shape(
            network=self.network,
            hyperparameters=self.hyperparameters,
            image_shape=dataset.image_shape,
            classes=dataset.classes,
            optimizer=self.optimizer,
            augmentation=self.augmentation.kind if self.augmentation else None,
            label_smoothing=self.label_smoothing,
            class_weights=self.class_weights,
            batch_size=self.batch_size,
            precision=self.precision,
        )
