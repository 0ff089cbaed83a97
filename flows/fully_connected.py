"""Stages 2 to 4: the fully connected network, its grid and its Hyperband study."""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow

from flows.beginning import begin
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from mnist_models.search.costs import space_size
from mnist_models.search.halving import rungs
from mnist_models.search.study import OracleSpec, Study
from mnist_models.training.budget import even_shares
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.planning import plan_models, plan_tuning
from tasks.progress import Progress
from tasks.stages import train_model, tune
from tasks.stopping import stoppable

GRID_PATIENCE = 2


@flow(name="fully_connected_baseline", flow_run_name="fully_connected_baseline {settings.profile}")
@stoppable
def fully_connected_baseline(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Two hidden layers of 50 ReLU neurons, Adam, five epochs of batches of 100."""
    settings, dataset = begin(settings, dataset, "fully_connected_baseline", plan_baseline)
    return train_model("fully_connected_baseline", _baseline_spec(settings, dataset), dataset, settings)


def plan_baseline(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `fully_connected_baseline` trains."""
    specs = {"fully_connected_baseline model": _baseline_spec(settings, dataset)}
    plan_models(specs, dataset, new=True, progress=progress)


def _baseline_spec(settings: Settings, dataset: DatasetReference) -> TrainingSpec:
    return TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 50, "depth": 2},
        batch_size=100,
        keep="last",
        **_length(settings, settings.baseline_epochs, dataset),
    )


@flow(name="fully_connected_grid", flow_run_name="fully_connected_grid {settings.profile}")
@stoppable
def fully_connected_grid(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Every combination of size, variation, depth and activation; a third goes on, the best to early stopping."""
    settings, dataset = begin(settings, dataset, "fully_connected_grid", plan_grid)
    finish = partial(finished, settings=settings, dataset=dataset, patience=GRID_PATIENCE)
    return tune(grid_study(settings, dataset), dataset, settings, finish)


def plan_grid(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `fully_connected_grid` trains."""
    finish = partial(finished, settings=settings, dataset=dataset, patience=GRID_PATIENCE)
    plan_tuning(grid_study(settings, dataset), finish, dataset, progress)


def grid_study(settings: Settings, dataset: DatasetReference) -> Study:
    """The search of `fully_connected_grid`."""
    images = round(settings.grid_epochs * settings.epoch_images)
    return Study(
        name="fully_connected_grid",
        space="fully_connected_grid",
        oracle=OracleSpec(
            kind="halving",
            seed=settings.seed,
            window=settings.window,
            brackets=(rungs(settings.grid_trials or space_size("fully_connected_grid"), images, count=settings.rungs),),
            proposals="grid",
        ),
        template=TrainingSpec(
            network="fully_connected",
            hyperparameters={},
            batch_size=settings.fully_connected_batch_size,
            patience=GRID_PATIENCE,
            **_length(settings, 1, dataset),
        ),
    )


@flow(name="fully_connected_hyperband", flow_run_name="fully_connected_hyperband {settings.profile}")
@stoppable
def fully_connected_hyperband(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Hyperband over depth, size, activation, dropout, L2 and learning rate."""
    settings, dataset = begin(settings, dataset, "fully_connected_hyperband", plan_hyperband)
    finish = partial(finished, settings=settings, dataset=dataset, patience=settings.patience)
    return tune(hyperband_study(settings, dataset), dataset, settings, finish)


def plan_hyperband(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `fully_connected_hyperband` trains."""
    finish = partial(finished, settings=settings, dataset=dataset, patience=settings.patience)
    plan_tuning(hyperband_study(settings, dataset), finish, dataset, progress)


def hyperband_study(settings: Settings, dataset: DatasetReference) -> Study:
    """The search of `fully_connected_hyperband`."""
    return Study(
        name="fully_connected_hyperband",
        space="fully_connected_hyperband",
        oracle=OracleSpec(
            kind="hyperband",
            seed=settings.seed,
            window=settings.window,
            max_epochs=settings.hyperband_max_epochs,
            factor=settings.hyperband_factor,
        ),
        template=TrainingSpec(
            network="fully_connected",
            hyperparameters={},
            batch_size=settings.fully_connected_batch_size,
            **_length(settings, settings.hyperband_max_epochs, dataset),
        ),
    )


def _length(settings: Settings, epochs: int, dataset: DatasetReference) -> dict[str, Any]:
    """What all trainings have in common, for so many epochs."""
    return {
        "epochs": epochs,
        "shares": even_shares(epochs, settings.epoch_images, dataset.train),
        "selection": "random",
        "precision": settings.precision,
        "seed": settings.seed,
    }


def finished(spec: TrainingSpec, settings: Settings, dataset: DatasetReference, patience: int) -> TrainingSpec:
    """How a network that was found is trained: until it gets no better."""
    length = _length(settings, settings.retraining_epochs, dataset)
    return spec.model_copy(update={**length, "patience": patience})


if __name__ == "__main__":
    run_alone(fully_connected_baseline, fully_connected_grid, fully_connected_hyperband)
