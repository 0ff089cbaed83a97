"""A training is a pure function: specification and data set in, result out, to the bit.

Order and augmentation of the images are drawn from (seed, epoch), and the state after each epoch is kept in a
checkpoint, so a training that stops and goes on ends as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from mnist_models.data.dataset import DatasetReference, Images, read_split
from mnist_models.foundation.files import pack
from mnist_models.foundation.store import Address, Store
from mnist_models.optimizers.optimizer import learning_rates
from mnist_models.training import hard_images
from mnist_models.training.checkpoint import Checkpoint, Lineage
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import CURVE_IMAGES, TrainingSpec

if TYPE_CHECKING:
    from mnist_models.programs.program import Program

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def fit(
    spec: TrainingSpec,
    dataset: DatasetReference,
    root: Address,
    *,
    key: str,
    checkpoint: str | None = None,
    keep_weights: bool = False,
    keep_judged: bool = False,
) -> TrainingResult:
    """Trains a network.

    Args:
        spec: What to train and how.
        dataset: What to train on.
        root: The store's address.
        key: Cache key that the result carries.
        checkpoint: File below the root that holds the state after each epoch. The training goes on from it where it is
            sound and of the same lineage, and starts anew, with a warning, where it is not. None to keep none.
        keep_weights: Write the kept weights to the store.
        keep_judged: Write the loss of each validation image to the store.

    Returns:
        The result, with `failure` set where a loss was not finite.
    """
    from mnist_models.programs.kept import program_of  # TensorFlow, which only workers need

    store = Store(root)
    keep_best = keep_weights and spec.keep == "best" and spec.split == "train"
    file = Checkpoint(store, checkpoint)
    program = program_of(spec.shape(dataset))
    train = read_split(store, dataset, spec.split)
    validation = (
        read_split(store, dataset, "validation").first(spec.validation_images) if spec.split == "train" else None
    )
    loop = _Loop(spec, program, train, validation, keep_best, [spec.lineage(), dataset.fingerprint, keep_best])
    loop.begin(file)
    while not loop.finished():
        loop.train_epoch()
        loop.save(file)
    weights = judged = None
    if keep_weights and loop.failure is None:
        weights = store.write(f"weights/{key}.npz", pack(loop.kept_weights(), {"key": key}))
    if keep_judged and loop.judged:
        judged = store.write(f"judged/{key}.npz", pack(loop.judged, {"key": key}))
    return TrainingResult(
        key=key,
        spec=spec,
        history={name: tuple(values[: spec.epochs]) for name, values in loop.history.items() if values},
        epochs=loop.epoch,
        best_epoch=loop.best_epoch(),
        seconds=round(loop.seconds, 3),
        parameters=program.trainee.parameters,
        weights=weights,
        judged=judged,
        failure=loop.failure,
    )


class _Loop:
    """Counts epochs: which images each trains on, at which rates, what it came to, and when to stop."""

    def __init__(
        self,
        spec: TrainingSpec,
        program: Program,
        train: Images,
        validation: Images | None,
        keep_best: bool,
        lineage: Lineage,
    ) -> None:
        self.spec = spec
        self.program = program
        self.train = train
        self.validation = validation
        self.keep_best = keep_best
        self.lineage = lineage
        self.epoch = 0
        self.seconds = 0.0
        self.history: dict[str, list[float]] = {name: [] for name in METRICS}
        self.hardness = hard_images.unseen(len(train)) if spec.shares and spec.selection == "hard" else None
        self.best: dict[str, np.ndarray] = {}
        self.judged: dict[str, np.ndarray] = {}
        self.failure: str | None = None

    def begin(self, checkpoint: Checkpoint) -> None:
        """Starts anew, or goes on from the checkpoint, where there is one to be believed."""
        self.program.begin(self.spec.seed, self.spec.hyperparameters)
        found = checkpoint.read(self.lineage, self.spec.trunk_epochs, self.spec.shares)
        if found is None:
            return
        arrays, state = found
        self.program.restore(_named(arrays, "state/"))
        self.best, self.judged = _named(arrays, "best/"), _named(arrays, "judged/")
        self.hardness = arrays.get("hardness")
        self.epoch, self.seconds, self.history = state["epoch"], state["seconds"], state["history"]
        self.failure = state["failure"]

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes all that the next epoch depends on, as long as there is one, or a longer training might have one."""
        if self.epoch > self.spec.trunk_epochs:
            return
        arrays = {f"state/{name}": value for name, value in self.program.state().items()}
        arrays |= {f"best/{name}": value for name, value in self.best.items()}
        arrays |= {f"judged/{name}": value for name, value in self.judged.items()}
        if self.hardness is not None:
            arrays["hardness"] = self.hardness
        names = ("epoch", "seconds", "history", "failure")
        shares = self.spec.shares and self.spec.shares[: self.epoch]
        checkpoint.write(self.lineage, arrays, {"shares": shares} | {name: getattr(self, name) for name in names})

    def finished(self) -> bool:
        """Whether all epochs are trained, no epoch has been better for too long, or the training failed."""
        waited = self.epoch - self.best_epoch()
        stopped = self.spec.patience is not None and waited >= self.spec.patience
        return self.failure is not None or self.epoch >= self.spec.epochs or stopped

    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 1; 0 before the first."""
        losses = self.history["val_loss"][: self.spec.epochs]
        if not self.spec.compares_epochs or not losses:
            return min(self.epoch, self.spec.epochs)
        return int(np.argmin(losses)) + 1

    def kept_weights(self) -> dict[str, np.ndarray]:
        """The weights that the training ends with."""
        return self.best if self.keep_best else self.program.trainee.weights()

    def train_epoch(self) -> None:
        """Trains and validates one epoch."""
        start = time.perf_counter()
        measured = dict(zip(METRICS, (*self._train(), *self._validate()), strict=False))
        self.epoch += 1
        self.seconds += time.perf_counter() - start
        if not all(np.isfinite(value) for value in measured.values()):
            self.failure = f"the loss was not finite in epoch {self.epoch}"
            return
        for name, value in measured.items():
            self.history[name].append(value)
        if self.best_epoch() == self.epoch:
            self.best = self.program.trainee.weights() if self.keep_best else {}
            self.judged = self.program.trainee.judged

    def _train(self) -> tuple[float, float]:
        """Trains one epoch; seed and number of the epoch determine all that is random in it."""
        spec = self.spec
        generator = np.random.default_rng([spec.seed, self.epoch])
        order = self._choose(generator).astype(np.int32)
        loss, accuracy, losses = self.program.train(self.train, order, self._rates(), spec.augmentation, generator)
        if self.hardness is not None:
            hard_images.note_losses(self.hardness, order, losses)
        if spec.recalibrate and self.epoch + 1 == spec.epochs:
            seen = round(sum(spec.shares or (1.0,) * spec.epochs) * len(self.train))
            self.program.trainee.recalibrate(self.train, generator, seen)
        if spec.calibrate and self.epoch + 1 == spec.epochs:
            self.program.trainee.calibrate(self.train, spec.augmentation, generator)
        return loss, accuracy

    def _choose(self, generator: np.random.Generator) -> np.ndarray:
        """The images of this epoch, in order."""
        if self.spec.shares is None:
            return generator.permutation(len(self.train))
        share = self.spec.shares[self.epoch]
        if self.hardness is None:
            return hard_images.choose_at_random(len(self.train), share, generator)
        return hard_images.choose(self.hardness, share, generator)

    def _rates(self) -> np.ndarray:
        """The learning rate of each step of this epoch."""
        shares = self.spec.shares or (1.0,) * self.spec.epochs
        steps = [math.ceil(max(round(len(self.train) * share), 1) / self.spec.batch_size) for share in shares]
        return learning_rates(self.spec.optimizer, sum(steps[: self.epoch]), steps[self.epoch], sum(steps), steps[-1])

    def _validate(self) -> tuple[float, ...]:
        """Validates as the finished model sees images where these weights may be kept, else for the curve only."""
        last = self.epoch + 1 == self.spec.epochs
        if self.validation is None or (self.spec.validation == "last" and not last):
            return ()
        may_be_kept = self.spec.compares_epochs or last
        images = self.validation if may_be_kept else self.validation.first(CURVE_IMAGES)
        return self.program.trainee.evaluate(images, all_views=may_be_kept)


def _named(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
