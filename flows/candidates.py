"""Stages 2 to 9, side by side: every network that is trained and tuned, in the order of the pipeline."""

from __future__ import annotations

from flows import cnn, fully_connected
from flows.cnn import cnn_augmentation, cnn_baseline, cnn_bayesian, cnn_learning_rate
from flows.fully_connected import fully_connected_baseline, fully_connected_grid, fully_connected_hyperband
from flows.recipe import finished_recipe, plan_recipe, recipe_study, residual_recipe
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from tasks.planning import plan_final
from tasks.progress import PROGRESS, Progress
from tasks.stages import Stages


def train_candidates(settings: Settings, dataset: DatasetReference) -> list[StageResult]:
    """Trains and tunes all networks, side by side as far as one stage does not need what another finds."""
    plan_candidates(settings, dataset)
    stages = Stages(settings, dataset)
    stages.start(fully_connected_baseline)
    stages.start(fully_connected_grid)
    stages.start(fully_connected_hyperband)
    stages.start(cnn_baseline)
    stages.start(cnn_bayesian)
    stages.start(cnn_augmentation, after=cnn_bayesian)
    stages.start(cnn_learning_rate, after=cnn_augmentation)
    stages.start(residual_recipe)
    return stages.results()


def plan_candidates(settings: Settings, dataset: DatasetReference, progress: Progress = PROGRESS) -> None:
    """Takes into the run's plan what all stages will train, in their order, and the final models at last.

    Later stages will probably train some CNN, the last one the residual network.
    """
    fully_connected.plan_baseline(settings, dataset, progress)
    fully_connected.plan_grid(settings, dataset, progress)
    fully_connected.plan_hyperband(settings, dataset, progress)
    cnn.plan_baseline(settings, dataset, progress)
    cnn.plan_learning_rate(settings, dataset, progress)  # and the two that it goes on from
    plan_recipe(settings, dataset, progress)
    residual = finished_recipe(recipe_study(settings).template, settings, dataset.train)
    residual = residual.model_copy(update={"split": "train+validation"})
    members = {f"final seed {settings.seed + number}": residual for number in range(settings.final_seeds)}
    plan_final(members, dataset, progress)
