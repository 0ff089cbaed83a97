"""Stages 5 to 8: the convolutional network, its architecture, augmentation and learning rate."""

from __future__ import annotations

import math

from prefect import flow

from flows.beginning import begin
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.report.run import StageResult
from mnist_models.search.halving import rungs
from mnist_models.search.spaces import LEARNING_RATES
from mnist_models.search.study import OracleSpec, Study, apply_values
from mnist_models.surrogate.values import Values
from mnist_models.training.budget import even_shares, shares
from mnist_models.training.cost import relative_cost
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.planning import plan_models, plan_tuning
from tasks.progress import Progress
from tasks.stages import train_model, tune
from tasks.stopping import stoppable

BATCH_SIZE = 256
BASELINE: Values = {
    "block_type": "activation_last",
    "num_conv_layers": 2,
    "num_filters_first_layer": 32,
    "num_filters_sub_layers": 64,
    "kernel_size": 3,
    "subsample_type": "max_pool",
    "dense_layer_size": 64,
    "activation": "relu",
    "dropout_rate": 0.3,
}
PORTFOLIO: tuple[Values, ...] = (
    {**BASELINE, "learning_rate": 1e-2},
    {
        **BASELINE,
        "num_conv_layers": 3,
        "num_filters_first_layer": 16,
        "subsample_type": "strided_conv",
        "dense_layer_size": 256,
        "learning_rate": 1e-2,
    },
    {
        **BASELINE,
        "block_type": "activation_first",
        "num_filters_first_layer": 16,
        "kernel_size": 5,
        "dense_layer_size": 128,
        "dropout_rate": 0.1,
        "learning_rate": 1e-2,
    },
)
"""Combinations of `cnn_bayesian` that end well on different images, tried next (docs/search.md says on which)."""


@flow(name="cnn_baseline", flow_run_name="cnn_baseline {settings.profile}")
@stoppable
def cnn_baseline(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Two 3 × 3 convolutions of 32 and 64 filters with pooling, a dense layer of 64, dropout 0.3."""
    settings, dataset = begin(settings, dataset, "cnn_baseline", plan_baseline)
    return train_model("cnn_baseline", baseline_spec(settings, dataset), dataset, settings)


def plan_baseline(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `cnn_baseline` trains."""
    plan_models({"cnn_baseline model": baseline_spec(settings, dataset)}, dataset, new=True, progress=progress)


def baseline_spec(settings: Settings, dataset: DatasetReference) -> TrainingSpec:
    """The network of `cnn_baseline`."""
    spec = TrainingSpec(
        network="cnn",
        hyperparameters={**BASELINE, "batch_normalization": False},
        batch_size=BATCH_SIZE,
        epochs=1,
        precision=settings.precision,
        seed=settings.seed,
    )
    return finished(spec, settings, dataset, epochs=settings.baseline_epochs)


@flow(name="cnn_bayesian", flow_run_name="cnn_bayesian {settings.profile}")
@stoppable
def cnn_bayesian(settings: Settings, dataset: DatasetReference | None = None) -> StageResult:
    """Bayesian optimisation of architecture, dropout and learning rate, from the baseline's on."""
    settings, dataset = begin(settings, dataset, "cnn_bayesian", plan_bayesian)
    return _tune(bayesian_study(settings), dataset, settings, "cnn_baseline")


def plan_bayesian(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `cnn_bayesian` trains."""
    _plan_tuning(bayesian_study(settings), dataset, settings, progress)


def bayesian_study(settings: Settings) -> Study:
    """The search of `cnn_bayesian`."""
    return Study(
        name="cnn_bayesian",
        space="cnn_bayesian",
        oracle=_oracle(
            settings,
            settings.bayesian_trials,
            settings.bayesian_epochs,
            {**BASELINE, "learning_rate": 1e-3},
            PORTFOLIO,
        ),
        template=TrainingSpec(
            network="cnn",
            hyperparameters={},
            optimizer=Optimizer(schedule="cooldown"),
            batch_size=BATCH_SIZE,
            epochs=1,
            recalibrate=True,
            validation="last",
            keep="last",
            selection="random",
            precision=settings.precision,
            seed=settings.seed,
        ),
    )


@flow(name="cnn_augmentation", flow_run_name="cnn_augmentation {settings.profile}")
@stoppable
def cnn_augmentation(
    settings: Settings, dataset: DatasetReference | None = None, architecture: TrainingSpec | None = None
) -> StageResult:
    """Bayesian optimisation of augmentation, dropout and learning rate, with the architecture that was found."""
    settings, dataset = begin(settings, dataset, "cnn_augmentation", plan_augmentation)
    architecture = architecture or cnn_bayesian(settings, dataset).model.spec
    return _tune(augmentation_study(settings, architecture), dataset, settings, "cnn_bayesian")


def plan_augmentation(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `cnn_augmentation` trains, after the search that it goes on from."""
    plan_bayesian(settings, dataset, progress)
    progress.plan("cnn_augmentation", "", {}, after="cnn_bayesian")
    _plan_tuning(augmentation_study(settings, _probable_winner(settings, dataset)), dataset, settings, progress)


def augmentation_study(settings: Settings, architecture: TrainingSpec) -> Study:
    """The search of `cnn_augmentation`, which starts from no augmentation."""
    none = Augmentation().model_dump(
        include={"rotation_range", "zoom_range", "width_shift_range", "height_shift_range"}
    )
    known: Values = {
        **none,
        "dropout_rate": float(architecture.hyperparameters.get("dropout_rate", 0.0)),
        "learning_rate": architecture.optimizer.learning_rate,
    }
    return Study(
        name="cnn_augmentation",
        space="cnn_augmentation",
        oracle=_oracle(settings, settings.augmentation_trials, settings.augmentation_epochs, known),
        template=_trial(architecture),
    )


@flow(name="cnn_learning_rate", flow_run_name="cnn_learning_rate {settings.profile}")
@stoppable
def cnn_learning_rate(
    settings: Settings, dataset: DatasetReference | None = None, augmented: TrainingSpec | None = None
) -> StageResult:
    """Grid of learning rates, all else as found."""
    settings, dataset = begin(settings, dataset, "cnn_learning_rate", plan_learning_rate)
    augmented = augmented or cnn_augmentation(settings, dataset).model.spec
    return _tune(learning_rate_study(settings, augmented), dataset, settings, "cnn_augmentation")


def plan_learning_rate(settings: Settings, dataset: DatasetReference, progress: Progress) -> None:
    """What `cnn_learning_rate` trains, after the searches that it goes on from."""
    plan_augmentation(settings, dataset, progress)
    progress.plan("cnn_learning_rate", "", {}, after="cnn_augmentation")
    _plan_tuning(learning_rate_study(settings, _probable_winner(settings, dataset)), dataset, settings, progress)


def learning_rate_study(settings: Settings, augmented: TrainingSpec) -> Study:
    """The search of `cnn_learning_rate`, which starts from the rate that was found before."""
    known: Values = {"learning_rate": augmented.optimizer.learning_rate}
    oracle = _oracle(settings, len(LEARNING_RATES) - 1, settings.learning_rate_epochs, known)
    return Study(
        name="cnn_learning_rate",
        space="cnn_learning_rate",
        oracle=oracle.model_copy(update={"proposals": "grid"}),
        template=_trial(augmented),
    )


def finished(
    spec: TrainingSpec, settings: Settings, dataset: DatasetReference, *, epochs: float | None = None
) -> TrainingSpec:
    """How a CNN is trained in the end: longer than a trial, to the end of a falling rate or until it gets no better.

    Statistics of batch normalisation are taken anew at the end of a falling rate: after few steps, those of training
    are still far from the truth.

    Args:
        spec: Of the network.
        settings: How long, on which schedule.
        dataset: On what.
        epochs: At most; those of the settings if none.
    """
    epochs = epochs or settings.cnn_epochs
    falling = settings.cnn_schedule == "linear"
    found = (
        shares([round(epochs * settings.epoch_images)], dataset.train, selection="random")
        if falling
        else even_shares(math.ceil(epochs), settings.epoch_images, dataset.train)
    )
    return spec.model_copy(
        update={
            "epochs": len(found) if found else math.ceil(epochs),
            "shares": found,
            "patience": None if falling else settings.patience,
            "optimizer": spec.optimizer.model_copy(update={"schedule": settings.cnn_schedule}),
            "recalibrate": falling and spec.hyperparameters.get("batch_normalization") is not False,
            "validation": "every",
            "keep": "last" if falling else "best",
            "selection": "random",
        }
    )


def _probable_winner(settings: Settings, dataset: DatasetReference) -> TrainingSpec:
    """What a search will have found, as far as its cost is concerned: the network of the portfolio that costs most."""
    template = baseline_spec(settings, dataset).model_copy(update={"hyperparameters": {}})
    return apply_values(template, max(PORTFOLIO, key=relative_cost))


def _oracle(
    settings: Settings, trials: int, epochs: float, known: Values, portfolio: tuple[Values, ...] = ()
) -> OracleSpec:
    return OracleSpec(
        kind="halving",
        seed=settings.seed,
        window=settings.window,
        brackets=(rungs(trials, round(epochs * settings.epoch_images), count=settings.rungs),),
        known=(known,),
        portfolio=portfolio[: trials // 3],  # whose larger networks take long for a search of few
    )


def _trial(spec: TrainingSpec) -> TrainingSpec:
    """The training of a trial: judged at its end, after a rate that is constant and then falls."""
    optimizer = spec.optimizer.model_copy(update={"schedule": "cooldown"})
    return spec.model_copy(
        update={
            "epochs": 1,
            "shares": None,
            "patience": None,
            "optimizer": optimizer,
            "recalibrate": True,
            "validation": "last",
            "keep": "last",
        }
    )


def _tune(study: Study, dataset: DatasetReference, settings: Settings, started_from: str) -> StageResult:
    return tune(study, dataset, settings, lambda spec: finished(spec, settings, dataset), started_from=started_from)


def _plan_tuning(study: Study, dataset: DatasetReference, settings: Settings, progress: Progress) -> None:
    winner = _probable_winner(settings, dataset)
    plan_tuning(
        study, lambda spec: finished(spec if spec.hyperparameters else winner, settings, dataset), dataset, progress
    )


if __name__ == "__main__":
    run_alone(cnn_baseline, cnn_bayesian, cnn_augmentation, cnn_learning_rate)
