"""Stages 2 to 9, side by side: every network that is trained and tuned, in the order of the pipeline."""

from __future__ import annotations

from flows.cnn import (
    augmentation_study,
    baseline_spec,
    cnn_augmentation,
    cnn_baseline,
    cnn_bayesian,
    cnn_learning_rate,
    learning_rate_study,
)
from flows.fully_connected import fully_connected_baseline, fully_connected_grid, fully_connected_hyperband
from flows.recipe import finished_recipe, recipe_study, residual_recipe
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from tasks.planning import plan_final, plan_models, plan_study
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
    stages.start(residual_recipe)
    plan_what_is_yet_to_be_found(settings, dataset)
    return stages.results()


def plan_what_is_yet_to_be_found(settings: Settings, dataset: DatasetReference) -> None:
    """Takes into the run's plan what later stages will probably train: some CNN, and the residual network at last."""
    baseline = baseline_spec(settings, dataset)
    residual = finished_recipe(recipe_study(settings).template, settings, dataset.train)
    residual = residual.model_copy(update={"split": "train+validation"})
    known = {name: value for name, value in baseline.hyperparameters.items() if name != "batch_normalization"}
    cnn = baseline.model_copy(update={"hyperparameters": known})
    for study in (augmentation_study(settings, cnn), learning_rate_study(settings, cnn)):
        plan_study(study, dataset)
        plan_models({f"{study.name} winner": cnn}, dataset)
    plan_final({f"final seed {settings.seed + number}": residual for number in range(settings.final_seeds)}, dataset)
