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
