"""What became of a study's trials, as its plots show it: how far each was trained, which were continued, which won."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from mnist_models.report.drawing import VALIDATION
from mnist_models.report.run import StageResult
from mnist_models.search.trials import Trial

MOST_MEDIANS = 6  # a loss of so many medians has diverged
PALE_TO_DARK = ["#c3d0dc", "#5fa3cf", "#0b3f74"]  # from what was dropped first to what was trained to the end


@dataclass(frozen=True)
class Outcomes:
    """A study's trials, ready to be drawn.

    Attributes:
        trials: All, in the order asked.
        finished: Those with a loss; none above the cap.
        cap: The height at which losses are drawn that would flatten all others.
        shades: A colour for each amount of training, the darker the more; one where nothing was continued.
        level: How far a trial was trained, as a place in `shades`, by its number.
        amount: Images or epochs that a trial has seen, by its number.
        unit: What `amount` counts: "images", or "epochs" where images are not known.
        winner: Number of the best trial, or None.
        incumbent: Number of the trial that trained what the search started from, to its end, or None.
    """

    trials: tuple[Trial, ...]
    finished: list[Trial]
    cap: float
    shades: list[Any]
    level: dict[int, int]
    amount: dict[int, int]
    unit: str
    winner: int | None
    incumbent: int | None

    def above(self, trial: Trial) -> bool:
        """Whether a trial's loss lies above the cap."""
        return loss(trial) >= self.cap

    def shade(self, trial: Trial) -> Any:
        """The colour of a trial."""
        return self.shades[self.level[trial.number]]

    def leaves(self) -> list[Trial]:
        """The finished trials that no other continued."""
        continued = {trial.parent for trial in self.finished}
        return [trial for trial in self.finished if trial.number not in continued]

    def combinations(self) -> list[Trial]:
        """Each combination of values once, as far as it was trained: not again with other seeds."""
        return [trial for trial in self.leaves() if trial.seed == 0]

    def lineage(self, number: int | None) -> list[Trial]:
        """A finished trial and those that it continued, the first one first; empty where there is no such trial."""
        by_number = {trial.number: trial for trial in self.finished}
        found: list[Trial] = []
        while number is not None and number in by_number:
            found.insert(0, by_number[number])
            number = by_number[number].parent
        return found


def outcomes(stage: StageResult) -> Outcomes:
    """Sorts out the trials of a stage's study."""
    finished = [trial for trial in stage.trials if trial.failure is None and trial.val_loss is not None]
    cap = MOST_MEDIANS * float(np.median([loss(trial) for trial in finished])) if finished else math.inf
    capped = [t if loss(t) < cap else t.model_copy(update={"val_loss": cap}) for t in finished]
    unit: Literal["images", "epochs"] = "images" if all(trial.images for trial in finished) else "epochs"
    amount = {trial.number: getattr(trial, unit) for trial in stage.trials}
    level = _levels(stage.trials, amount)
    best = min(finished, key=lambda trial: (loss(trial), trial.number), default=None)
    return Outcomes(
        trials=stage.trials,
        finished=capped,
        cap=cap,
        shades=pale_to_dark(max(level.values(), default=0) + 1),
        level=level,
        amount=amount,
        unit=unit,
        winner=stage.decision.winner if stage.decision else best.number if best else None,
        incumbent=_incumbent(stage),
    )


def loss(trial: Trial) -> float:
    """A trial's validation loss; not a number where it has none."""
    return math.nan if trial.val_loss is None else trial.val_loss


def own_seconds(trial: Trial, by_number: Mapping[int, Trial]) -> float:
    """Worker-seconds that a trial took without those of the trial that it continued."""
    parent = by_number.get(trial.parent) if trial.parent is not None else None
    return max(trial.seconds - (parent.seconds if parent else 0.0), 0.0)


def pale_to_dark(count: int) -> list[Any]:
    """Colours for so many steps, the last one the darkest; the usual colour where there is one step."""
    if count == 1:
        return [VALIDATION]
    return list(LinearSegmentedColormap.from_list("pale to dark", PALE_TO_DARK)(np.linspace(0, 1, count)))


def _levels(trials: Sequence[Trial], amount: Mapping[int, int]) -> dict[int, int]:
    """Ranks trials by how much they trained, where some went on from others; brackets may begin at different rungs."""
    if all(trial.parent is None for trial in trials):
        return dict.fromkeys(amount, 0)
    order = sorted({amount[trial.number] for trial in trials if trial.failure is None})
    return {number: order.index(seen) if seen in order else 0 for number, seen in amount.items()}


def _incumbent(stage: StageResult) -> int | None:
    """The last trial that goes on from the one that trained what the search started from."""
    number = stage.decision.incumbent if stage.decision else None
    heirs = {trial.parent: trial.number for trial in stage.trials if trial.parent is not None}
    while number in heirs:
        number = heirs[number]
    return number
