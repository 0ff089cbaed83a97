"""What is known of a run at its end: its stages, and the judgement."""

from __future__ import annotations

from typing import Any, Literal

from mnist_models.champion import gate
from mnist_models.champion.record import Champion
from mnist_models.data.dataset import DatasetReference
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.records import Record
from mnist_models.foundation.settings import Settings
from mnist_models.judging.evaluation import FinalResult
from mnist_models.search.trials import Decision, Trial
from mnist_models.training.result import TrainingResult


class StageResult(Record):
    """What a stage of the pipeline hands on.

    Attributes:
        name: Of the stage.
        model: The stage's model, trained from scratch.
        trials: Of its study; empty for a baseline.
        decision: Of its study, where that has rungs.
        cached: Whether nothing had to be computed.
        started_from: The stage whose model its study started from, or None.
    """

    name: str
    model: TrainingResult
    trials: tuple[Trial, ...] = ()
    decision: Decision | None = None
    cached: bool = False
    started_from: str | None = None

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


class Promotion(Record):
    """What became of a run's model at the gate.

    Attributes:
        outcome: What the gate said; "champion already" where the champion has the same weights.
        reason: In words.
        name: Of the champion, where the store has several.
        champion: The champion after it; None where there is none.
        decision: With all figures; None where there was nothing to compare.
        readings: How often the gate has compared models so far, this time included.
    """

    outcome: Literal["promoted", "refused", "champion already"]
    reason: str
    name: str
    champion: Champion | None
    decision: gate.Decision | None = None
    readings: int = 0


class Run(Record):
    """A whole run.

    Attributes:
        name: For people.
        settings: What was asked for.
        dataset: What it trained on.
        stages: In the order of the pipeline.
        final: The judgement on the test set.
        members: The models of the final ensemble.
        seconds: From the run's begin to its end.
        exports: The final model in other forms.
        promotion: What became of the final model at the gate; None before.
    """

    name: str
    settings: Settings
    dataset: DatasetReference
    stages: tuple[StageResult, ...]
    final: FinalResult
    members: tuple[TrainingResult, ...]
    seconds: float
    exports: tuple[ExportedForm, ...] = ()
    promotion: Promotion | None = None
