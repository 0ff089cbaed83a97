"""What came of a study: its trials."""

from __future__ import annotations

from mnist_models.foundation.records import Record, SealedRecord
from mnist_models.search.study import Values
from mnist_models.training.result import TrainingResult


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
        rung: At which rung it was trained, from 0.
        images: Training images that it had seen at its end, those of the trials it continued included; 0 if not known.
        fate: What became of it at its rung and why ("promoted", "dropped: 7th of 12, 3 go on", "finished", "failed",
            "kept: what the search started from"); "" where there are no rungs.
        curve: Validation loss each time it was validated, in nats: plain cross-entropy, calibrated where the recipe
            calibrates.
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
    rung: int = 0
    images: int = 0
    fate: str = ""
    curve: tuple[float, ...] = ()


class Finalist(Record):
    """One of the few trials that a study ends with.

    Attributes:
        trial: Its number.
        val_loss: In nats; mean over its seeds.
        interval: Of that, 95 %: bootstrap over validation images, and seeds where there are several.
        seeds: It was trained with so many.
    """

    trial: int
    val_loss: float
    interval: tuple[float, float]
    seeds: int


class Decision(Record):
    """What the end of a study says.

    Attributes:
        winner: The trial.
        incumbent: The trial that trained what the search started from, or None.
        difference: Validation loss of the incumbent minus the winner's, in nats, paired over images.
        interval: Of that difference, 95 %: paired bootstrap over validation images.
        replaced: Whether the winner takes the incumbent's place.
        best_probability: Share of the bootstrap's draws in which the winner is the best of the finalists.
        finalists: In the order of their validation losses.
        words: One sentence for a reader.
    """

    winner: int
    incumbent: int | None
    difference: float
    interval: tuple[float, float]
    replaced: bool
    best_probability: float
    finalists: tuple[Finalist, ...]
    words: str


class StudyResult(SealedRecord):
    """All trials of a study, in the order asked, and what its end says where finalists were compared."""

    name: str
    trials: tuple[Trial, ...]
    decision: Decision | None = None

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
        curve=result.history.get("val_loss", ()),
    )
