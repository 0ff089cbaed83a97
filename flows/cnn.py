"""Stages 5 to 8: the convolutional network, its architecture, augmentation, learning rate; and a residual network."""

from __future__ import annotations

from prefect import flow

from flows.preprocessing import preprocessing
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.report.run import StageResult
from mnist_models.search.study import OracleSpec, Study
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.stages import train_model, tune
from tasks.stopping import stoppable

BATCH_SIZE = 256


@flow(name="cnn_baseline", flow_run_name="cnn_baseline {settings.profile}")
@stoppable
def cnn_baseline(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Two 3 × 3 convolutions of 32 and 64 filters with pooling, a dense layer of 64, dropout 0.3."""
    return train_model("cnn_baseline", baseline_spec(settings), dataset or preprocessing(settings), settings)


def baseline_spec(settings: Settings) -> TrainingSpec:
    """The network of `cnn_baseline`."""
    return TrainingSpec(
        network="cnn",
        hyperparameters={
            "num_conv_layers": 2,
            "num_filters_first_layer": 32,
            "num_filters_sub_layers": 64,
            "kernel_size": 3,
            "dense_layer_size": 64,
            "dropout_rate": 0.3,
            "batch_normalization": False,
        },
        optimizer=Optimizer(schedule=settings.cnn_schedule),
        batch_size=BATCH_SIZE,
        epochs=settings.cnn_epochs,
        patience=settings.patience,
        precision=settings.precision,
        seed=settings.seed,
    )


@flow(name="cnn_bayesian", flow_run_name="cnn_bayesian {settings.profile}")
@stoppable
def cnn_bayesian(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Bayesian optimisation of architecture, dropout and learning rate."""
    study = Study(
        name="cnn_bayesian",
        space="cnn_bayesian",
        oracle=OracleSpec(
            kind="bayesian",
            seed=settings.seed,
            window=settings.window,
            max_trials=settings.bayesian_trials,
            initial_points=settings.bayesian_initial_points,
        ),
        template=_trial_template(
            TrainingSpec(
                network="cnn",
                hyperparameters={},
                batch_size=BATCH_SIZE,
                epochs=1,
                precision=settings.precision,
                seed=settings.seed,
            ),
            settings,
            epochs=settings.bayesian_epochs,
        ),
    )
    return _tune(study, dataset or preprocessing(settings), settings)


@flow(name="cnn_augmentation", flow_run_name="cnn_augmentation {settings.profile}")
@stoppable
def cnn_augmentation(
    settings: Settings, dataset: DatasetReference | None = None, architecture: TrainingSpec | None = None
) -> StageResult:
    """Bayesian optimisation of augmentation, dropout and learning rate, with the architecture that was found."""
    dataset = dataset or preprocessing(settings)
    architecture = architecture or cnn_bayesian(settings, dataset).model.spec
    return _tune(augmentation_study(settings, architecture), dataset, settings)


def augmentation_study(settings: Settings, architecture: TrainingSpec) -> Study:
    """The search of `cnn_augmentation`."""
    return Study(
        name="cnn_augmentation",
        space="cnn_augmentation",
        oracle=OracleSpec(
            kind="bayesian",
            seed=settings.seed,
            window=settings.window,
            max_trials=settings.augmentation_trials,
            initial_points=settings.bayesian_initial_points,
        ),
        template=_trial_template(architecture, settings, epochs=settings.augmentation_epochs).model_copy(
            update={"augmentation": Augmentation()}
        ),
    )


@flow(name="cnn_learning_rate", flow_run_name="cnn_learning_rate {settings.profile}")
@stoppable
def cnn_learning_rate(
    settings: Settings, dataset: DatasetReference | None = None, augmented: TrainingSpec | None = None
) -> StageResult:
    """Grid of learning rates, all else as found, stopped early with patience 5."""
    dataset = dataset or preprocessing(settings)
    augmented = augmented or cnn_augmentation(settings, dataset).model.spec
    return _tune(learning_rate_study(settings, augmented), dataset, settings)


def learning_rate_study(settings: Settings, augmented: TrainingSpec) -> Study:
    """The search of `cnn_learning_rate`."""
    return Study(
        name="cnn_learning_rate",
        space="cnn_learning_rate",
        oracle=OracleSpec(kind="grid", seed=settings.seed, window=settings.window),
        template=_trial_template(augmented, settings, epochs=settings.learning_rate_epochs).model_copy(
            update={"patience": 5}
        ),
    )


@flow(name="cnn_residual", flow_run_name="cnn_residual {settings.profile}")
@stoppable
def cnn_residual(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """A small residual network, trained by Muon on the images that are still hard: our own candidate for the final."""
    return train_model("cnn_residual", residual_spec(settings), dataset or preprocessing(settings), settings)


def residual_spec(settings: Settings) -> TrainingSpec:
    """The recipe of `cnn_residual`; docs/performance.md says what each part gave."""
    return TrainingSpec(
        network="residual",
        hyperparameters={"stem_filters": 16, "middle_filters": 32, "filters": 96, "views": "shifts"},
        optimizer=Optimizer(name="muon", learning_rate=0.1, schedule="linear", weight_decay=5e-4),
        augmentation=Augmentation(
            rotation_range=0.022, zoom_range=0.08, shear_range=0.1, width_shift_range=0.071, height_shift_range=0.071
        ),
        label_smoothing=0.1,
        batch_size=128,
        shares=(1.0,) + (0.5,) * (settings.residual_epochs - 1),
        recalibrate=True,
        calibrate=True,
        epochs=settings.residual_epochs,
        keep="last",
        precision=settings.precision,
        seed=settings.seed,
    )


def _trial_template(spec: TrainingSpec, settings: Settings, epochs: int) -> TrainingSpec:
    """The training of a trial: constant learning rate, and no more of the images than the settings say."""
    shares = None if settings.trial_share == 1 else (settings.trial_share,) * epochs
    optimizer = spec.optimizer.model_copy(update={"schedule": "constant"})
    return spec.model_copy(update={"epochs": epochs, "shares": shares, "patience": None, "optimizer": optimizer})


def _tune(study: Study, dataset: DatasetReference, settings: Settings) -> StageResult:
    return tune(
        study,
        dataset,
        settings,
        epochs=settings.cnn_epochs,
        patience=settings.patience,
        schedule=settings.cnn_schedule,
    )


if __name__ == "__main__":
    run_alone(cnn_baseline, cnn_bayesian, cnn_augmentation, cnn_learning_rate, cnn_residual)
