"""Stages 2 to 4: the fully connected network, its grid and its Hyperband study."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.preprocessing import preprocessing
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from mnist_models.search.costs import space_size
from mnist_models.search.halving import rungs
from mnist_models.search.study import OracleSpec, Study
from mnist_models.training.budget import even_shares
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.stages import train_model, tune
from tasks.stopping import stoppable


@flow(name="fully_connected_baseline", flow_run_name="fully_connected_baseline {settings.profile}")
@stoppable
def fully_connected_baseline(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Two hidden layers of 50 ReLU neurons, Adam, five epochs of batches of 100."""
    dataset = dataset or preprocessing(settings)
    spec = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 50, "depth": 2},
        batch_size=100,
        keep="last",
        **_length(settings, settings.baseline_epochs, dataset),
    )
    return train_model("fully_connected_baseline", spec, dataset, settings)


@flow(name="fully_connected_grid", flow_run_name="fully_connected_grid {settings.profile}")
@stoppable
def fully_connected_grid(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Every combination of size, variation, depth and activation; a third goes on, the best to early stopping."""
    dataset = dataset or preprocessing(settings)
    images = round(settings.grid_epochs * settings.epoch_images)
    study = Study(
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
            patience=2,
            **_length(settings, 1, dataset),
        ),
    )
    return tune(study, dataset, settings, lambda spec: _finished(spec, settings, dataset, patience=2))


@flow(name="fully_connected_hyperband", flow_run_name="fully_connected_hyperband {settings.profile}")
@stoppable
def fully_connected_hyperband(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Hyperband over depth, size, activation, dropout, L2 and learning rate."""
    dataset = dataset or preprocessing(settings)
    study = Study(
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
    return tune(study, dataset, settings, lambda spec: _finished(spec, settings, dataset, patience=settings.patience))


def _length(settings: Settings, epochs: int, dataset: DatasetReference) -> dict[str, Any]:
    """What all trainings have in common, for so many epochs."""
    return {
        "epochs": epochs,
        "shares": even_shares(epochs, settings.epoch_images, dataset.train),
        "selection": "random",
        "precision": settings.precision,
        "seed": settings.seed,
    }


def _finished(spec: TrainingSpec, settings: Settings, dataset: DatasetReference, patience: int) -> TrainingSpec:
    """How a network that was found is trained: until it gets no better."""
    length = _length(settings, settings.retraining_epochs, dataset)
    return spec.model_copy(update={**length, "patience": patience})


if __name__ == "__main__":
    run_alone(fully_connected_baseline, fully_connected_grid, fully_connected_hyperband)
