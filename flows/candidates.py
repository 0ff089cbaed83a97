"""Stages 2 to 8, side by side: every network that is trained and tuned, in the order of the pipeline."""

from __future__ import annotations

from flows.cnn import cnn_augmentation, cnn_baseline, cnn_bayesian, cnn_learning_rate, cnn_residual
from flows.fully_connected import fully_connected_baseline, fully_connected_grid, fully_connected_hyperband
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from tasks.stages import Stages


def train_candidates(settings: Settings, dataset: DatasetReference) -> list[StageResult]:
    """Trains and tunes all networks, side by side as far as one stage does not need what another finds."""
    stages = Stages(settings, dataset)
    stages.start(fully_connected_baseline)
    stages.start(fully_connected_grid)
    stages.start(fully_connected_hyperband)
    stages.start(cnn_baseline)
    stages.start(cnn_bayesian)
    stages.start(cnn_augmentation, after=cnn_bayesian)
    stages.start(cnn_learning_rate, after=cnn_augmentation)
    stages.start(cnn_residual)
    return stages.results()
