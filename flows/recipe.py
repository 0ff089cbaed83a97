"""Stage 9: a residual network and its whole recipe, searched from the one that was best on MNIST."""

from __future__ import annotations

from prefect import flow

from flows.beginning import begin
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.report.run import StageResult
from mnist_models.search.halving import rungs
from mnist_models.search.study import OracleSpec, Study, apply_values
from mnist_models.surrogate.values import Values
from mnist_models.training.budget import shares
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.planning import plan_tuning
from tasks.progress import Progress
from tasks.stages import tune
from tasks.stopping import stoppable

USUAL: Values = {
    "stem_filters": 16,
    "middle_filters": 32,
    "filters": 96,
    "stem_kernel_size": 3,
    "residual_blocks": 1,
    "views": "shifts",
    "optimizer": "muon",
    "learning_rate_factor": 1.0,
    "weight_decay": 5e-4,
    "batch_size": 128,
    "selection": "hard",
    "label_smoothing": 0.1,
    "rotation_range": 0.022,
    "shift_range": 0.071,
    "zoom_range": 0.08,
    "shear_range": 0.1,
    "elastic_range": 0.0,
    "erasing_range": 0.0,
    "flip": "none",
}
"""The recipe that a search starts from: found by hand on MNIST; docs/performance.md says what each part gave."""

UNALTERED: Values = {"rotation_range": 0.0, "shift_range": 0.0, "zoom_range": 0.0, "shear_range": 0.0}
PORTFOLIO: tuple[Values, ...] = (
    {**USUAL, **UNALTERED, "label_smoothing": 0.0, "views": "one"},  # images that are all alike already
    {**USUAL, **UNALTERED, "label_smoothing": 0.0, "rotation_range": 0.5, "views": "turns"},  # that have no up
    {**USUAL, "flip": "horizontal", "shift_range": 0.107, "erasing_range": 0.25},  # photographs
    {**USUAL, "middle_filters": 64, "filters": 128, "residual_blocks": 2, "batch_size": 64},  # that need more of it
)
"""Recipes for other kinds of images, which a search tries next (a portfolio: Feurer et al. 2015)."""


@flow(name="residual_recipe", flow_run_name="residual_recipe {settings.profile}")
@stoppable
def residual_recipe(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Successive halving over architecture, optimiser, augmentation and views; the usual recipe is its first trial."""
    settings, dataset = begin(settings, dataset, "residual_recipe", plan_recipe)
    train = dataset.train
    return tune(recipe_study(settings), dataset, settings, lambda spec: finished_recipe(spec, settings, train))


def plan_recipe(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `residual_recipe` trains."""
    train = dataset.train
    plan_tuning(recipe_study(settings), lambda spec: finished_recipe(spec, settings, train), dataset, progress)


def recipe_study(settings: Settings) -> Study:
    """The search of `residual_recipe`."""
    images = round(settings.recipe_epochs * settings.epoch_images)
    return Study(
        name="residual_recipe",
        space="residual_recipe",
        oracle=OracleSpec(
            kind="halving",
            seed=settings.seed,
            window=settings.window,
            brackets=(rungs(settings.recipe_trials, images, count=settings.rungs),),
            known=(USUAL,),
            portfolio=PORTFOLIO[: settings.recipe_trials],
            seeds=settings.recipe_seeds,
        ),
        template=apply_values(
            TrainingSpec(
                network="residual",
                hyperparameters={},
                optimizer=Optimizer(schedule="cooldown"),
                augmentation=Augmentation(),
                epochs=1,
                recalibrate=True,
                calibrate=True,
                validation="last",
                keep="last",
                precision=settings.precision,
                seed=settings.seed,
            ),
            USUAL,
        ),
    )


def finished_recipe(spec: TrainingSpec, settings: Settings, train: int) -> TrainingSpec:
    """How the best recipe is trained: longer, on a rate that falls all the way.

    Args:
        spec: Of the recipe.
        settings: How long.
        train: Size of the training set.
    """
    budget = round(settings.final_epochs * settings.epoch_images)
    found = shares([budget], train, selection=spec.selection)
    optimizer = spec.optimizer.model_copy(update={"schedule": "linear"})
    return spec.model_copy(
        update={"shares": found, "epochs": len(found), "optimizer": optimizer, "validation": "every"}
    )


if __name__ == "__main__":
    run_alone(residual_recipe)
