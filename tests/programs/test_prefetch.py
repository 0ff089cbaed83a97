from __future__ import annotations

import numpy as np
import pytest

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.store import Store
from mnist_models.programs import prefetch
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec

SPEC = TrainingSpec(
    network="fully_connected", hyperparameters={"hidden_layer_size": 8, "depth": 1}, epochs=2, batch_size=50
)


def test_images_are_asked_for_ahead_and_nothing_else_changes(
    store: Store, dataset: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fit(SPEC, dataset, store.root, key="prefetch").history
    asked: list[np.ndarray] = []
    ask = prefetch._File.ask

    def noted(self: prefetch._File, rows: np.ndarray) -> None:
        asked.append(rows)
        ask(self, rows)

    monkeypatch.setattr(prefetch, "LARGE", 0)
    monkeypatch.setattr(prefetch._File, "ask", noted)
    assert fit(SPEC, dataset, store.root, key="prefetch").history == expected
    assert sorted(np.concatenate(asked)) == sorted([*range(dataset.train)] * SPEC.epochs)


def test_images_in_memory_are_not_asked_for() -> None:
    images = np.zeros((10, 2, 2, 1), np.uint8)
    chunks = [slice(0, 4), slice(4, 10)]
    assert list(prefetch.ask_ahead(images, np.arange(10), chunks)) == chunks
