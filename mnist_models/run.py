"""What is known of a run at its end, for the report and its figures."""

from __future__ import annotations

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.evaluation import FinalResult
from mnist_models.records import Record
from mnist_models.study import StageResult
from mnist_models.training import TrainingResult


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
    """

    name: str
    settings: Settings
    dataset: DatasetReference
    stages: tuple[StageResult, ...]
    final: FinalResult
    members: tuple[TrainingResult, ...]
    seconds: float
