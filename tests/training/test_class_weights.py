"""How much an image of each class counts in the steps of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.judging.members import build_member, predict
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec

SPEC = TrainingSpec(
    network="fully_connected",
    hyperparameters={"hidden_layer_size": 8, "depth": 1},
    epochs=3,
    keep="last",
    batch_size=32,
)


def trained(store: Store, dataset: DatasetReference, key: str, **changes: object) -> tuple[np.ndarray, list[float]]:
    """Kernel of the hidden layer, and the losses of the epochs."""
    result = fit(SPEC.model_copy(update=changes), dataset, store.root, key=key, keep_weights=True)
    return np.asarray(build_member(store, result, dataset).get_weights()[0]), list(result.history["loss"])


def test_equal_weights_change_nothing(store: Store, dataset: DatasetReference) -> None:
    plain, losses = trained(store, dataset, "plain")
    weighted, weighted_losses = trained(store, dataset, "equal", class_weights=(1.0,) * 10)
    assert np.array_equal(weighted, plain)
    assert weighted_losses == losses
    other, _ = trained(store, dataset, "other", class_weights=(1.0,) * 9 + (3.0,))
    assert not np.allclose(other, plain)


def test_weights_find_more_of_a_rare_class(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.where(np.arange(1_200) % 20 == 0, 1, 0)
    pixels = (generator.normal(110, 40, (1_200, 8, 8)) + 14 * labels[:, None, None]).clip(0, 255).astype(np.uint8)
    names = {"x_train": pixels[:600], "y_train": labels[:600], "x_test": pixels[600:], "y_test": labels[600:]}
    np.savez(tmp_path / "rare.npz", **names)
    store = Store(tmp_path / "store")
    dataset = preprocess(store, data=tmp_path / "rare.npz", images=None, seed=1, key="rare")
    recalls = []
    for weights in (None, (0.53, 10.0)):
        spec = SPEC.model_copy(update={"epochs": 40, "class_weights": weights})
        result = fit(spec, dataset, store.root, key=f"{weights is None}", keep_weights=True)
        found = predict(build_member(store, result, dataset), pixels[600:][..., None]).argmax(axis=1)
        recalls.append((found[labels[600:] == 1] == 1).mean())
    assert recalls[1] > recalls[0] + 0.2
