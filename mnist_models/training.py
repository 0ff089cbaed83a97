"""A training is a pure function: specification and data set in, result out, to the bit.

Order and augmentation of the images are drawn from (seed, epoch), and the state after each epoch is kept in a
checkpoint, so a training that stops and goes on ends as if it had never stopped.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mnist_models.augmentation import Augmentation
from mnist_models.dataset import DatasetReference, Images, read_split
from mnist_models.fingerprint import code_fingerprint
from mnist_models.networks import Network
from mnist_models.optimizers import Optimizer
from mnist_models.records import FileReference, Record, SealedRecord, digest
from mnist_models.store import DamagedFileError, Store, pack, unpack, write_atomic

LOG = logging.getLogger(__name__)
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


class TrainingSpec(Record):
    """Everything that can change the outcome of a training, besides data and code.

    Attributes:
        network: Which network.
        hyperparameters: What its `build` takes.
        optimizer: Optimiser and schedule.
        augmentation: Of the training images; None for none.
        label_smoothing: Share of the target that is spread over all classes (Szegedy et al. 2016).
        batch_size: Images per step.
        epochs: At most this many.
        shares: Share of the images that each epoch trains on, one per epoch; None for all, always. Where less than all,
            one half are those with the highest losses so far and the other half is drawn at random from the rest
            (selective backpropagation: Jiang et al. 2019).
        recalibrate: After the last epoch, take the statistics of batch normalisation from images without augmentation.
        calibrate: After the last epoch, divide the logits by a temperature (Guo et al. 2017) that is fitted on newly
            augmented training images: label smoothing makes a network less sure than it should be.
        patience: Stop after so many epochs without a lower validation loss; None to train all epochs.
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
    batch_size: int = Field(default=64, ge=1)
    epochs: int = Field(ge=1)
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] | None = None
    recalibrate: bool = False
    calibrate: bool = False
    patience: int | None = Field(default=None, ge=1)
    keep: Literal["best", "last"] = "best"
    precision: Literal["float32", "bfloat16"] = "float32"
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
            purpose: "trial", whose weights are not kept, or "model".
        """
        code = code_fingerprint("training", self.network)
        return f"{purpose}-{digest([self.model_dump(mode='json'), dataset.fingerprint, code])}"

    def lineage(self) -> str:
        """Names the trainings that share their first epochs, and so a checkpoint.

        A constant learning rate does not depend on the number of epochs: a trial that Hyperband promotes to more epochs
        goes on where it stopped.
        """
        exclude = {"epochs"} if self.optimizer.schedule == "constant" else set()
        return digest(self.model_dump(mode="json", exclude=exclude))


class TrainingResult(SealedRecord):
    """What a training came to.

    Attributes:
        history: Per metric ("loss", "accuracy", "val_loss", "val_accuracy") its value after each epoch; losses are mean
            cross-entropies in nats, without regularisation; "loss" and "accuracy" are means over the epoch in training.
        epochs: Epochs trained.
        best_epoch: The epoch, from 1, whose weights were kept.
        seconds: Time spent training, over all attempts.
        parameters: Number of trainable parameters.
        weights: The kept weights, where they were asked for.
        failure: Why the training came to nothing, or None.
    """

    spec: TrainingSpec
    history: dict[str, tuple[float, ...]]
    epochs: int
    best_epoch: int
    seconds: float
    parameters: int
    weights: FileReference | None = None
    failure: str | None = None

    def metric(self, name: str) -> float | None:
        """A metric at the best epoch; None where it was not measured."""
        values = self.history.get(name, ())
        return values[self.best_epoch - 1] if 0 < self.best_epoch <= len(values) else None


def fit(
    spec: TrainingSpec,
    dataset: DatasetReference,
    root: Path,
    *,
    key: str,
    checkpoint: str | None = None,
    keep_weights: bool = False,
) -> TrainingResult:
    """Trains a network.

    Args:
        spec: What to train and how.
        dataset: What to train on.
        root: The store's root.
        key: Cache key that the result carries.
        checkpoint: File below the root that holds the state after each epoch. The training goes on from it where it is
            sound and of the same lineage, and starts anew, with a warning, where it is not. None to keep none.
        keep_weights: Write the kept weights to the store.

    Returns:
        The result, with `failure` set where a loss was not finite.
    """
    store = Store(root)
    run = _Run(spec, dataset, store, store.root / checkpoint if checkpoint else None, keep_best=keep_weights)
    run.resume()
    while not run.finished():
        run.train_epoch()
        run.save()
    weights = None
    if keep_weights and run.failure is None:
        weights = store.write(f"weights/{key}.npz", pack(run.kept_weights(), {"key": key}))
    return TrainingResult(
        key=key,
        spec=spec,
        history={name: tuple(values[: spec.epochs]) for name, values in run.history.items() if values},
        epochs=run.epoch,
        best_epoch=run.best_epoch(),
        seconds=round(run.seconds, 3),
        parameters=run.program.parameters,
        weights=weights,
        failure=run.failure,
    )


class _Run:
    """The state of one training between two epochs."""

    def __init__(
        self, spec: TrainingSpec, dataset: DatasetReference, store: Store, checkpoint: Path | None, keep_best: bool
    ) -> None:
        from mnist_models.kept_programs import program_for

        self.spec = spec
        self.checkpoint = checkpoint
        self.train = read_split(store, dataset, spec.split)
        self.validation = read_split(store, dataset, "validation") if spec.split == "train" else None
        self.program = program_for(spec, dataset)
        self.keep_best = keep_best and spec.keep == "best" and self.validation is not None
        self.lineage = digest([spec.lineage(), dataset.fingerprint, self.keep_best])
        self.epoch = 0
        self.seconds = 0.0
        self.history: dict[str, list[float]] = {name: [] for name in METRICS}
        self.best: dict[str, np.ndarray] = {}
        self.failure: str | None = None

    def finished(self) -> bool:
        """Whether all epochs are trained, no epoch has been better for too long, or the training failed."""
        waited = self.epoch - self.best_epoch()
        stopped = self.spec.patience is not None and waited >= self.spec.patience
        return self.failure is not None or self.epoch >= self.spec.epochs or stopped

    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 1; 0 before the first."""
        losses = self.history["val_loss"][: self.spec.epochs]
        if self.spec.keep == "last" and self.spec.patience is None or not losses:
            return min(self.epoch, self.spec.epochs)
        return int(np.argmin(losses)) + 1

    def train_epoch(self) -> None:
        """Trains and validates one epoch."""
        start = time.perf_counter()
        measured = dict(zip(("loss", "accuracy"), self.program.train_epoch(self.train, self.epoch), strict=True))
        if self.validation is not None:
            measured |= zip(("val_loss", "val_accuracy"), self._validate(self.validation), strict=True)
        self.epoch += 1
        self.seconds += time.perf_counter() - start
        if not all(np.isfinite(value) for value in measured.values()):
            self.failure = f"the loss was not finite in epoch {self.epoch}"
            return
        for name, value in measured.items():
            self.history[name].append(value)
        if self.keep_best and self.best_epoch() == self.epoch:
            self.best = self.program.weights()

    def _validate(self, images: Images) -> tuple[float, float]:
        """Validates as the finished model sees images where this epoch's weights may be kept, else the cheaper way."""
        may_be_kept = self.spec.keep == "best" or self.spec.patience is not None or self.epoch + 1 == self.spec.epochs
        return self.program.evaluate(images, all_views=may_be_kept)

    def kept_weights(self) -> dict[str, np.ndarray]:
        """The weights that the training ends with."""
        return self.best if self.keep_best else self.program.weights()

    def save(self) -> None:
        """Writes the checkpoint."""
        if self.checkpoint is None:
            return
        state = {
            "lineage": self.lineage,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
            "failure": self.failure,
        }
        arrays = {f"state/{name}": value for name, value in self.program.state().items()}
        arrays |= {f"best/{name}": value for name, value in self.best.items()}
        write_atomic(self.checkpoint, pack(arrays, state))

    def resume(self) -> None:
        """Goes on from the checkpoint, where there is one to be believed."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        try:
            arrays, state = unpack(self.checkpoint)
        except DamagedFileError as error:
            LOG.warning("%s; training from the beginning", error)
            return
        if state["lineage"] != self.lineage or state["epoch"] > self.spec.epochs:
            LOG.warning("%s: the checkpoint of another training; training from the beginning", self.checkpoint)
            return
        self.program.restore({k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")})
        self.best = {k.removeprefix("best/"): v for k, v in arrays.items() if k.startswith("best/")}
        self.epoch, self.seconds, self.history = state["epoch"], state["seconds"], state["history"]
        self.failure = state["failure"]


def load_weights(store: Store, result: TrainingResult) -> dict[str, np.ndarray]:
    """Reads the weights that a result points to.

    Raises:
        DamagedFileError: If they are missing or are not those of this result.
    """
    if result.weights is None:
        raise ValueError(f"Expected a training result with weights. Received: {result.key[:20]} without.")
    path = store.verify(result.weights)
    arrays, state = unpack(path)
    if state["key"] != result.key:
        raise DamagedFileError(path, "these are the weights of another training")
    return arrays
