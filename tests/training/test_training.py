from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference, read_split, scale
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from mnist_models.judging.members import build_member
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.programs import kept
from mnist_models.training.checkpoint import Checkpoint
from mnist_models.training.loop import _Loop, fit
from mnist_models.training.result import TrainingResult, load_weights
from mnist_models.training.specification import TrainingSpec

CNN: dict[str, Any] = {
    "num_conv_layers": 2, "num_filters_first_layer": 4, "num_filters_sub_layers": 8, "kernel_size": 3,
    "dense_layer_size": 16, "dropout_rate": 0.3,
}  # fmt: skip
FULLY_CONNECTED: dict[str, Any] = {"hidden_layer_size": 16, "depth": 2, "dropout_rate": 0.2, "l2_strength": 1e-4}
SPECS = {
    "fully connected": TrainingSpec(network="fully_connected", hyperparameters=FULLY_CONNECTED, epochs=4, patience=2),
    "cnn, augmented": TrainingSpec(
        network="cnn",
        hyperparameters=CNN,
        epochs=4,
        patience=3,
        augmentation=Augmentation(rotation_range=0.05, zoom_range=0.1, width_shift_range=0.1),
    ),
    "residual, one cycle": TrainingSpec(
        network="residual",
        hyperparameters={"stem_filters": 4, "middle_filters": 4, "filters": 8},
        epochs=4,
        keep="last",
        label_smoothing=0.1,
        optimizer=Optimizer(name="sgd", learning_rate=0.1, schedule="one_cycle", weight_decay=5e-4),
        augmentation=Augmentation(width_shift_range=0.1, height_shift_range=0.1),
    ),
}


SPECS["residual, muon on hard images"] = TrainingSpec(
    network="residual",
    hyperparameters={"stem_filters": 4, "middle_filters": 8, "filters": 8, "views": "shifts"},
    epochs=4,
    keep="last",
    optimizer=Optimizer(name="muon", learning_rate=0.1, schedule="linear", weight_decay=5e-4),
    augmentation=Augmentation(rotation_range=0.02, shear_range=0.1),
    shares=(1.0, 0.5, 0.5, 0.5),
    label_smoothing=0.1,
    recalibrate=True,
    calibrate=True,
)
for name in ("cnn, augmented", "residual, muon on hard images"):
    SPECS[f"{name}, bfloat16"] = SPECS[name].model_copy(update={"precision": "bfloat16"})


class Killed(BaseException):
    """Stands for the signal that ends a process; real ones are in test_workers.py."""


def fit_until(epoch: int, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> None:
    """Trains until an epoch is over, and dies before the next."""
    save = _Loop.save

    def save_and_die(loop: _Loop, checkpoint: Checkpoint) -> None:
        save(loop, checkpoint)
        if loop.epoch == epoch:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(_Loop, "save", save_and_die)
        fit(*arguments, **options)


def outcome(store: Store, result: TrainingResult) -> tuple[Any, ...]:
    """All that a training came to, but for the time it took."""
    weights = {name: value.tobytes() for name, value in load_weights(store, result).items()}
    return result.history, result.epochs, result.best_epoch, result.weights, weights


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_resumed_training_ends_as_if_it_had_never_stopped(
    name: str, epoch: int, store: Store, dataset: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPECS[name]
    whole = fit(spec, dataset, store.root, key="model-whole", keep_weights=True)
    expected = outcome(store, whole)
    checkpoint = f"checkpoints/{name}-{epoch}.npz"
    options: dict[str, Any] = {"key": "model-whole", "checkpoint": checkpoint, "keep_weights": True}
    if epoch >= whole.epochs:
        pytest.skip("stopped early before this epoch")
    fit_until(epoch, monkeypatch, spec, dataset, store.root, **options)
    kept._programs.clear()  # as in a new process
    trained = count_epochs(monkeypatch)
    resumed = fit(spec, dataset, store.root, **options)
    assert outcome(store, resumed) == expected
    assert len(trained) == whole.epochs - epoch


def count_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    epochs: list[int] = []
    train = _Loop.train_epoch

    def counted(loop: _Loop) -> None:
        epochs.append(loop.epoch)
        train(loop)

    monkeypatch.setattr(_Loop, "train_epoch", counted)
    return epochs


@pytest.mark.parametrize("name", SPECS)
def test_a_kept_program_computes_the_same(name: str, store: Store, dataset: DatasetReference) -> None:
    spec = SPECS[name]
    kept._programs.clear()
    cold = fit(spec, dataset, store.root, key="trial-cold")
    other = spec.model_copy(
        update={
            "seed": 7,
            "optimizer": spec.optimizer.model_copy(update={"learning_rate": 3e-3}),
            "hyperparameters": {k: (0.5 if k == "dropout_rate" else v) for k, v in spec.hyperparameters.items()},
        }
    )
    fit(other, dataset, store.root, key="trial-other")
    assert len(kept._programs) == 1
    assert fit(spec, dataset, store.root, key="trial-cold").history == cold.history


def test_a_promoted_trial_goes_on_from_its_parent(
    store: Store, dataset: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPECS["fully connected"].model_copy(update={"patience": None})
    parent, promoted = (spec.model_copy(update={"epochs": epochs}) for epochs in (2, 4))
    assert parent.lineage() == promoted.lineage()
    whole = fit(promoted, dataset, store.root, key="trial-promoted")
    fit(parent, dataset, store.root, key="trial-parent", checkpoint="checkpoints/rungs.npz")
    trained = count_epochs(monkeypatch)
    result = fit(promoted, dataset, store.root, key="trial-promoted", checkpoint="checkpoints/rungs.npz")
    assert trained == [2, 3]
    assert result.history == whole.history


def test_a_schedule_over_other_epochs_is_another_lineage() -> None:
    spec = SPECS["residual, one cycle"]
    assert spec.lineage() != spec.model_copy(update={"epochs": 5}).lineage()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "swapped", "longer"])
def test_a_wrong_checkpoint_is_never_believed(
    damage: str,
    store: Store,
    dataset: DatasetReference,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = SPECS["fully connected"]
    expected = fit(spec, dataset, store.root, key="trial-damaged").history
    path = store.root / f"checkpoints/{damage}.npz"
    options = {"key": "trial-damaged", "checkpoint": f"checkpoints/{damage}.npz"}
    other = spec.model_copy(update={"seed": 9}) if damage == "swapped" else spec
    longer = other.model_copy(update={"epochs": 9, "patience": None}) if damage == "longer" else other
    fit_until(2, monkeypatch, longer, dataset, store.root, **options)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[:-100]
    elif damage == "flipped":
        content[len(content) // 2] ^= 4
    elif damage == "empty":
        content.clear()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        result = fit(spec, dataset, store.root, **options)
    assert result.history == expected
    assert str(path) in caplog.text


def test_early_stopping_restores_the_best_weights(store: Store, dataset: DatasetReference) -> None:
    spec = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 64, "depth": 2},
        optimizer=Optimizer(learning_rate=0.02),
        epochs=40,
        patience=2,
        batch_size=32,
    )
    result = fit(spec, dataset, store.root, key="model-early", keep_weights=True)
    losses = result.history["val_loss"]
    assert result.epochs < 40
    assert result.best_epoch == result.epochs - 2 == int(np.argmin(losses)) + 1
    best = fit(
        spec.model_copy(update={"epochs": result.best_epoch}), dataset, store.root, key="model-best", keep_weights=True
    )
    for one, other in zip(load_weights(store, result).values(), load_weights(store, best).values(), strict=True):
        assert np.array_equal(one, other)


def test_a_loss_that_is_not_finite_is_a_failure(store: Store, dataset: DatasetReference) -> None:
    spec = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 64, "depth": 3, "activation": "linear"},
        optimizer=Optimizer(name="sgd", learning_rate=1e6),
        epochs=5,
    )
    result = fit(spec, dataset, store.root, key="model-infinite", keep_weights=True)
    assert result.failure == "the loss was not finite in epoch 1"
    assert result.weights is None
    assert result.metric("val_loss") is None
    assert TrainingResult.model_validate_json(result.model_dump_json()) == result


def test_weights_of_another_training_are_refused(store: Store, dataset: DatasetReference) -> None:
    spec = SPECS["fully connected"]
    one = fit(spec, dataset, store.root, key="model-one", keep_weights=True)
    two = fit(spec.model_copy(update={"seed": 4}), dataset, store.root, key="model-two", keep_weights=True)
    assert one.weights
    assert two.weights
    exchanged = TrainingResult(**{**one.model_dump(exclude={"seal"}), "weights": two.weights})
    with pytest.raises(DamagedFileError, match="another training"):
        load_weights(store, exchanged)


def test_seeds_differ(store: Store, dataset: DatasetReference) -> None:
    spec = SPECS["cnn, augmented"]
    losses = {
        fit(spec.model_copy(update={"seed": seed}), dataset, store.root, key="trial").history["loss"] for seed in (1, 2)
    }
    assert len(losses) == 2


def first_weights(spec: TrainingSpec, dataset: DatasetReference) -> np.ndarray:
    program = kept.program_of(spec.shape(dataset))
    program.begin(spec.seed, spec.hyperparameters)
    return program.trainee.weights()["000"]


@pytest.mark.parametrize("name", SPECS)
def test_a_seed_determines_the_first_weights(name: str, dataset: DatasetReference) -> None:
    specs = [SPECS[name].model_copy(update={"seed": seed}) for seed in (1, 2, 1)]
    one, two, again = (first_weights(spec, dataset) for spec in specs)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, again)


def test_a_training_without_validation_keeps_its_last_epoch(
    tmp_path: Path, store: Store, dataset: DatasetReference
) -> None:
    spec = SPECS["residual, one cycle"].model_copy(update={"split": "train+validation", "epochs": 2})
    result = fit(spec, dataset, store.root, key="model-all", keep_weights=True)
    assert set(result.history) == {"loss", "accuracy"}
    assert result.best_epoch == result.epochs == 2
    assert result.metric("val_loss") is None


def test_calibration_undoes_what_label_smoothing_does_to_the_loss(store: Store, dataset: DatasetReference) -> None:
    smoothed = SPECS["cnn, augmented"].model_copy(
        update={"epochs": 12, "patience": None, "keep": "last", "label_smoothing": 0.3}
    )
    plain, calibrated = (
        fit(smoothed.model_copy(update={"calibrate": wanted}), dataset, store.root, key="trial-calibrated")
        for wanted in (False, True)
    )
    assert calibrated.history["val_accuracy"] == plain.history["val_accuracy"]
    assert calibrated.history["val_loss"][:-1] == plain.history["val_loss"][:-1]
    assert calibrated.history["val_loss"][-1] < plain.history["val_loss"][-1]


def test_the_training_loss_is_the_plain_one_also_with_label_smoothing(store: Store, dataset: DatasetReference) -> None:
    one_step = SPECS["fully connected"].model_copy(update={"epochs": 1, "batch_size": dataset.train})
    plain, smoothed = (
        fit(one_step.model_copy(update={"label_smoothing": smoothing}), dataset, store.root, key="trial-smoothed")
        for smoothing in (0.0, 0.3)
    )
    assert smoothed.history["loss"] == plain.history["loss"]  # before the step, both have the same weights
    assert smoothed.history["val_loss"] != plain.history["val_loss"]


@pytest.mark.parametrize("name", ["fully connected", "residual, muon on hard images, bfloat16"])
def test_val_loss_is_that_of_the_model_with_the_kept_weights(
    name: str, store: Store, dataset: DatasetReference
) -> None:
    result = fit(SPECS[name], dataset, store.root, key="model-kept", keep_weights=True)
    validation = read_split(store, dataset, "validation")
    probabilities = build_member(store, result, dataset).predict(scale(validation.x), verbose=0)
    loss = -np.log(probabilities[np.arange(len(validation)), validation.y]).mean()
    assert result.metric("val_loss") == pytest.approx(loss, rel=1e-4)
