"""What came of a study: its trials."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mnist_models.foundation.records import Record, SealedRecord
from mnist_models.search.study import Proposal
from mnist_models.surrogate.values import Values
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
        rung: At which it was trained, from 0.
        images: Training images seen, those of the trials that it continues included; 0 where there are no rungs.
        seed: Added to the study's.
        fate: What became of it: "promoted", "dropped: 7th of 12, 3 go on", "finished"; "" where there are no rungs.
        curve: Validation loss each time it was validated.
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
    seed: int = 0
    fate: str = ""
    curve: tuple[float, ...] = ()


class Finalist(Record):
    """A combination at the last rung.

    Attributes:
        trial: The first of its trials there.
        val_loss: Mean over its seeds, in nats.
        interval: 95 %, by bootstrap over validation images.
        seeds: How often it was trained.
    """

    trial: int
    val_loss: float
    interval: tuple[float, float]
    seeds: int


class Decision(Record):
    """What the end of a study says: who wins, and how sure that is.

    Attributes:
        winner: Number of its trial at the last rung.
        incumbent: Number of the trial that trained what the search started from, or None.
        difference: Validation loss of the incumbent minus the winner's, in nats.
        interval: Of the difference, 95 %, by paired bootstrap over validation images.
        replaced: Whether the winner takes the incumbent's place.
        best_probability: Share of the bootstrap's samples in which the winner is the best of the finalists.
        finalists: All combinations at the last rung, the best first.
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
    """All trials of a study, in the order asked, and, where there are rungs, what they decide."""

    name: str
    trials: tuple[Trial, ...]
    decision: Decision | None = None

    @property
    def best(self) -> Trial:
        """The trial that wins: decided, or else the one with the lowest validation loss; the earliest of equals.

        Raises:
            ValueError: If every trial failed.
        """
        if self.decision is not None:
            return self.trials[self.decision.winner - 1]
        finished = [trial for trial in self.trials if trial.failure is None]
        if not finished:
            raise ValueError(
                f"Expected a trial of {self.name} that did not fail. Received: {len(self.trials)} that did."
            )
        return min(finished, key=lambda trial: (trial.val_loss, trial.number))


def failed_trial(proposal: Proposal, failure: str) -> Trial:
    """Makes the record of a trial whose training raised an error."""
    return Trial(
        **_asked(proposal),
        epochs=0,
        best_epoch=0,
        val_loss=None,
        val_accuracy=None,
        train_accuracy=None,
        seconds=0.0,
        failure=failure,
    )


def record_trial(proposal: Proposal, result: TrainingResult) -> Trial:
    """Makes the record of a trial out of its training."""
    return Trial(
        **_asked(proposal),
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        val_loss=result.metric("val_loss"),
        val_accuracy=result.metric("val_accuracy"),
        train_accuracy=result.metric("accuracy"),
        seconds=result.seconds,
        failure=result.failure,
        curve=result.history.get("val_loss", ()),
    )


def with_fates(trials: Sequence[Trial], known: Sequence[Values] = ()) -> list[Trial]:
    """Says of each trial of a halving what became of it; trials of other oracles stay as they are.

    Args:
        trials: All of a study.
        known: Combinations that climb whatever they score, and so take nobody's place.
    """
    promoted = {trial.parent for trial in trials}
    rungs: defaultdict[tuple[int, int], _Rung] = defaultdict(_Rung)
    for trial in trials:
        if trial.values not in known:
            rungs[trial.rung, trial.images].add(trial, trial.number in promoted)
    for rung in rungs.values():
        rung.losses.sort()

    def with_fate(trial: Trial) -> Trial:
        fate = _fate(trial, rungs[trial.rung, trial.images], trial.number in promoted)
        return trial.model_copy(update={"fate": fate})

    return [with_fate(trial) if trial.images else trial for trial in trials]


@dataclass
class _Rung:
    """Those that competed there, and how many of them went on."""

    losses: list[float] = field(default_factory=list)
    going_on: int = 0

    def add(self, trial: Trial, promoted: bool) -> None:
        """Counts a trial in."""
        self.losses.append(trial.val_loss or math.inf)
        self.going_on += promoted


def _fate(trial: Trial, rung: _Rung, promoted: bool) -> str:
    if trial.failure is not None:
        return "failed"
    if promoted:
        return "promoted"
    if not rung.going_on:
        return "finished"
    rank = 1 + bisect_left(rung.losses, trial.val_loss or math.inf)
    goes = "goes" if rung.going_on == 1 else "go"
    return f"dropped: {ordinal(rank)} of {len(rung.losses)}, {rung.going_on} {goes} on"


def ordinal(number: int) -> str:
    """Returns 1st, 2nd, 3rd, 4th, and so on."""
    ending = "th" if 10 <= number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _asked(proposal: Proposal) -> dict[str, Any]:
    budgets = {"images": proposal.budgets[-1]} if proposal.budgets else {}
    return proposal.model_dump(include={"number", "parent", "values", "rung", "seed"}) | budgets
