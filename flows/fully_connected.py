"""Stages 2 to 4: the fully connected network, its grid and its Hyperband study."""

from __future__ import annotations

from prefect import flow

from flows.preprocessing import preprocessing
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.report.run import StageResult
from mnist_models.search.study import OracleSpec, Study
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.stages import train_model, tune
from tasks.stopping import stoppable


@flow(name="fully_connected_baseline", flow_run_name="fully_connected_baseline {settings.profile}")
@stoppable
def fully_connected_baseline(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Two hidden layers of 50 ReLU neurons, Adam, five epochs of batches of 100."""
    spec = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 50, "depth": 2},
        batch_size=100,
        epochs=settings.baseline_epochs,
        keep="last",
        precision=settings.precision,
        seed=settings.seed,
    )
    return train_model("fully_connected_baseline", spec, dataset or preprocessing(settings), settings)


@flow(name="fully_connected_grid", flow_run_name="fully_connected_grid {settings.profile}")
@stoppable
def fully_connected_grid(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Every combination of size, variation, depth and activation, stopped early with patience 2."""
    study = Study(
        name="fully_connected_grid",
        space="fully_connected_grid",
        oracle=OracleSpec(kind="grid", seed=settings.seed, window=settings.window, max_trials=settings.grid_trials),
        template=TrainingSpec(
            network="fully_connected",
            hyperparameters={},
            batch_size=settings.fully_connected_batch_size,
            epochs=settings.grid_epochs,
            patience=2,
            precision=settings.precision,
            seed=settings.seed,
        ),
    )
    return tune(study, dataset or preprocessing(settings), settings, epochs=settings.retraining_epochs, patience=2)


@flow(name="fully_connected_hyperband", flow_run_name="fully_connected_hyperband {settings.profile}")
@stoppable
def fully_connected_hyperband(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Hyperband over depth, size, activation, dropout, L2 and learning rate."""
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
            optimizer=Optimizer(name="adam"),
            batch_size=settings.fully_connected_batch_size,
            epochs=settings.hyperband_max_epochs,
            precision=settings.precision,
            seed=settings.seed,
        ),
    )
    return tune(
        study,
        dataset or preprocessing(settings),
        settings,
        epochs=settings.retraining_epochs,
        patience=settings.patience,
    )


if __name__ == "__main__":
    run_alone(fully_connected_baseline, fully_connected_grid, fully_connected_hyperband)
