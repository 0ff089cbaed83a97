from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.judging.predictions import predict_unlabelled
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tests.sources.forms import Images, write_csv


def test_images_without_labels_are_predicted_in_their_order(tmp_path: Path) -> None:
    """Bright images are cats."""
    images = np.random.default_rng(0).integers(0, 30, (246, 4, 4, 1), dtype=np.uint8)
    images[1::2] += 220
    labels = [("dog", "cat")[number % 2] for number in range(246)]
    path = write_csv(
        Images({"train": (images[:240], labels[:240]), "test": (images[240:], labels[240:])}), tmp_path / "d"
    )
    lines = [line.partition(",")[2] for line in (path / "test.csv").read_text().splitlines()]
    (path / "test.csv").write_text("\n".join(lines) + "\n")
    store = Store(tmp_path / "store")
    dataset = preprocess(store, data=path, images=None, seed=1, key="dataset-pets")
    spec = TrainingSpec(
        network="fully_connected", hyperparameters={"hidden_layer_size": 16, "depth": 1}, epochs=40, batch_size=20
    )
    specs = [spec.model_copy(update={"seed": seed}) for seed in (1, 2)]
    members = [fit(spec, dataset, store.root, key=f"member-{spec.seed}", keep_weights=True) for spec in specs]
    predictions = predict_unlabelled(members, dataset, store.root, key="predictions")
    found = store.verify(predictions.file).read_text().splitlines()
    assert found == ["ImageId,Label", *(f"{number},{label}" for number, label in enumerate(labels[240:], 1))]
