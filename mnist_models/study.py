"""Studies: what is searched, how far, and what came of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mnist_models.augmentation import Augmentation
from mnist_models.dataset import DatasetReference
from mnist_models.fingerprint import code_fingerprint
from mnist_models.records import Record, SealedRecord, digest
from mnist_models.training import TrainingResult, TrainingSpec

Values = dict[str, int | float | str]


class OracleSpec(Record):
    """Which KerasTuner oracle leads a study, and how far.

    Attributes:
        kind: "grid" (every combination), "hyperband" (Li et al. 2018) or "bayesian" (Gaussian process).
        seed: Of its proposals, from 1.
        window: Open trials at a time; part of the study's identity, unlike the number of workers.
        max_trials: Of "grid" (None for all) and "bayesian".
        initial_points: Random trials before "bayesian" models their scores; None for 3 per hyperparameter.
        max_epochs, factor: Of "hyperband".
    """

    kind: Literal["grid", "hyperband", "bayesian"]
    seed: int = Field(ge=1)
    window: int = Field(ge=1)
    max_trials: int | None = Field(default=None, ge=1)
    initial_points: int | None = Field(default=None, ge=1)
    max_epochs: int = Field(default=27, ge=1)
    factor: int = Field(default=3, ge=2)


class Study(Record):
    """A search for hyperparameters.

    Attributes:
        name: Of the stage.
        space: Name of the function in `search_spaces`.
        oracle: Who proposes.
        template: The training of every trial, but for the values that the oracle proposes.
    """

    name: str
    space: str
    oracle: OracleSpec
    template: TrainingSpec

    def key(self, dataset: DatasetReference) -> str:
        """Cache key of the whole study."""
        code = code_fingerprint("oracle", "search_spaces", "study", self.template.network)
        return f"study-{digest([self.model_dump(mode='json'), dataset.fingerprint, code])}"

    def spec(self, values: Values, epochs: int | None) -> TrainingSpec:
        """The training of one trial."""
        spec = apply_values(self.template, values)
        return spec if epochs is None else spec.model_copy(update={"epochs": epochs})


class Proposal(Record):
    """A trial that the oracle asks for.

    Attributes:
        number: From 1, in the order asked.
        values: Hyperparameters of the search space.
        epochs: To train, where the oracle says so (Hyperband); else None.
        parent: Number of the trial that this one continues (Hyperband), or None.
    """

    number: int
    values: Values
    epochs: int | None = None
    parent: int | None = None


class Trial(Record):
    """One trial of a study, as told to the oracle.

    Attributes:
        number: From 1, in the order asked.
        parent: Number of the trial that it continued (Hyperband), or None.
        values: Its hyperparameters.
        epochs, best_epoch: Trained, and the one with the lowest validation loss.
        val_loss, val_accuracy, train_accuracy: At the best epoch; None where the trial failed before.
        seconds: Of training in a worker.
        failure: Why it failed, or None.
    """

    number: int
    parent: int | None
    values: Values
    epochs: int
    best_epoch: int
    val_loss: float | None
    val_accuracy: float | None
    train_accuracy: float | None
    seconds: float
    failure: str | None = None


class StudyResult(SealedRecord):
    """All trials of a study, in the order asked."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the lowest validation loss; the earliest of equals.

        Raises:
            ValueError: If every trial failed.
        """
        finished = [trial for trial in self.trials if trial.failure is None]
        if not finished:
            raise ValueError(
                f"Expected a trial of {self.name} that did not fail. Received: {len(self.trials)} that did."
            )
        return min(finished, key=lambda trial: (trial.val_loss, trial.number))


class StageResult(Record):
    """What a stage of the pipeline hands on.

    Attributes:
        name: Of the stage.
        model: The stage's model, trained from scratch.
        trials: Of its study; empty for a baseline.
        cached: Whether nothing had to be computed.
    """

    name: str
    model: TrainingResult
    trials: tuple[Trial, ...] = ()
    cached: bool = False

    @property
    def seconds(self) -> float:
        """Time that workers spent training for this stage, when it was computed."""
        continued = {trial.parent for trial in self.trials}  # their time is part of the trial that went on from them
        return self.model.seconds + sum(trial.seconds for trial in self.trials if trial.number not in continued)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The model's hyperparameters, with learning rate and augmentation."""
        spec = self.model.spec
        augmentation = spec.augmentation.model_dump() if spec.augmentation else {}
        return {**spec.hyperparameters, "learning_rate": spec.optimizer.learning_rate, **augmentation}


def apply_values(template: TrainingSpec, values: Values) -> TrainingSpec:
    """Puts proposed values where they belong: learning rate, augmentation, or the network's hyperparameters."""
    network = dict(template.hyperparameters)
    augmentation = template.augmentation.model_dump() if template.augmentation else {}
    optimizer = template.optimizer
    for name, value in values.items():
        if name == "learning_rate":
            optimizer = optimizer.model_copy(update={name: value})
        elif name in Augmentation.model_fields:
            augmentation[name] = value
        else:
            network[name] = value
    return template.model_copy(
        update={
            "hyperparameters": network,
            "optimizer": optimizer,
            "augmentation": Augmentation(**augmentation) if augmentation else None,
        }
    )


def failed_trial(number: int, parent: int | None, values: Values, failure: str) -> Trial:
    """Makes the record of a trial whose training raised an error."""
    return Trial(
        number=number,
        parent=parent,
        values=values,
        epochs=0,
        best_epoch=0,
        val_loss=None,
        val_accuracy=None,
        train_accuracy=None,
        seconds=0.0,
        failure=failure,
    )


def record_trial(number: int, parent: int | None, values: Values, result: TrainingResult) -> Trial:
    """Makes the record of a trial out of its training."""
    return Trial(
        number=number,
        parent=parent,
        values=values,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        val_loss=result.metric("val_loss"),
        val_accuracy=result.metric("val_accuracy"),
        train_accuracy=result.metric("accuracy"),
        seconds=result.seconds,
        failure=result.failure,
    )
