"""One contract for every network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.store import Store
from mnist_models.judging.export import ExportedModel, export_ensemble
from mnist_models.judging.members import build_member
from mnist_models.networks.by_name import NETWORKS, Network, build_network
from mnist_models.networks.layers import FusedBatchNormalization
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec

CNN: dict[str, Any] = {
    "num_conv_layers": 2, "num_filters_first_layer": 4, "num_filters_sub_layers": 8, "kernel_size": 3,
    "dense_layer_size": 16, "dropout_rate": 0.3,
}  # fmt: skip
EXAMPLES: list[tuple[Network, dict[str, Any]]] = [
    ("fully_connected", {"hidden_layer_size": 16, "depth": 2}),
    ("fully_connected", {"hidden_layer_size": 16, "depth": 3, "size_variation": "half", "activation": "elu"}),
    ("fully_connected", {"hidden_layer_size": 16, "depth": 1, "dropout_rate": 0.4, "l2_strength": 1e-3}),
    ("cnn", CNN),
    ("cnn", CNN | {"subsample_type": "strided_conv", "activation": "tanh", "num_conv_layers": 3}),
    ("cnn", CNN | {"batch_normalization": False}),
    ("cnn", CNN | {"block_type": "activation_first"}),
    ("cnn", CNN | {"block_type": "activation_first", "subsample_type": "strided_conv"}),
    ("residual", {"stem_filters": 4, "middle_filters": 4, "filters": 8}),
    ("residual", {"stem_filters": 4, "middle_filters": 4, "filters": 8, "views": "shifts"}),
    ("residual", {"stem_filters": 4, "middle_filters": 4, "filters": 8, "residual_blocks": 2, "views": "turns"}),
]


def test_the_original_network_is_as_large_as_its_authors_report() -> None:
    winner = {
        "num_conv_layers": 3, "num_filters_first_layer": 16, "num_filters_sub_layers": 32, "kernel_size": 5,
        "subsample_type": "strided_conv", "dense_layer_size": 256, "dropout_rate": 0.4,
    }  # fmt: skip
    model = build_network("cnn", (28, 28, 1), 10, winner | {"block_type": "activation_first"})
    assert sum(weight.size for weight in map(np.asarray, model.trainable_variables)) == 231_290
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("TunableDropout") == 4


def test_every_network_is_under_contract() -> None:
    assert {network for network, _ in EXAMPLES} == set(NETWORKS)


@pytest.mark.parametrize(("network", "hyperparameters"), EXAMPLES)
class TestContract:
    def test_builds_for_other_images(self, network: Network, hyperparameters: dict[str, Any]) -> None:
        for shape, classes in (((28, 28, 1), 10), ((9, 12, 3), 4), ((8, 8, 1), 2), ((128, 128, 3), 200)):
            model = build_network(network, shape, classes, hyperparameters)
            probabilities = model.predict(np.random.default_rng(0).random((3, *shape), dtype=np.float32), verbose=0)
            assert probabilities.shape == (3, classes)
            assert probabilities.dtype == np.float32
            assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
            assert model.get_layer("logits").output.shape == (None, classes)

    def test_trains_saves_and_reloads(
        self,
        network: Network,
        hyperparameters: dict[str, Any],
        store: Store,
        dataset: DatasetReference,
        tmp_path: Path,
    ) -> None:
        spec = TrainingSpec(network=network, hyperparameters=hyperparameters, epochs=3, batch_size=50)
        result = fit(spec, dataset, store.root, key=f"model-{network}", keep_weights=True)
        losses = result.history["loss"]
        assert losses[-1] < losses[0]
        model = build_member(store, result, dataset)
        images = np.random.default_rng(1).random((5, *dataset.image_shape), dtype=np.float32)
        expected = model.predict(images, verbose=0)
        model.save(tmp_path / "model.keras")
        reloaded = keras.models.load_model(tmp_path / "model.keras")
        assert np.array_equal(reloaded.predict(images, verbose=0), expected)
        exported = export_ensemble([result], dataset, store.root, key=f"export-{network}")
        plain = load_without_our_layers(store, exported)
        assert np.allclose(plain.predict(images, verbose=0), expected, atol=1e-6)

    def test_an_unknown_hyperparameter_is_refused(self, network: Network, hyperparameters: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="widht"):
            build_network(network, (28, 28, 1), 10, {**hyperparameters, "widht": 3})


def load_without_our_layers(store: Store, exported: ExportedModel) -> keras.Model:
    model = keras.models.load_model(store.verify(exported.file))
    for layer in model._flatten_layers():
        assert type(layer).__module__.startswith("keras."), layer
    return model


def test_half_halves_every_further_layer() -> None:
    model = build_network(
        "fully_connected", (28, 28, 1), 10, {"hidden_layer_size": 64, "depth": 4, "size_variation": "half"}
    )
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert dense == [64, 32, 16, 8, 10]


def test_fused_batch_normalization_is_the_plain_layer() -> None:
    images = np.random.default_rng(0).normal(2, 3, (64, 5, 5, 4)).astype(np.float32)
    plain, fused = keras.layers.BatchNormalization(momentum=0.9), FusedBatchNormalization(momentum=0.9)
    for layer in (plain, fused):
        layer.build(images.shape)
    assert np.allclose(plain(images, training=True), fused(images, training=True), atol=1e-4)
    count = 64 * 5 * 5
    assert np.allclose(plain.moving_mean, fused.moving_mean, atol=1e-5)
    biased = (np.asarray(fused.moving_variance) - 0.9) * (count - 1) / count + 0.9
    assert np.allclose(plain.moving_variance, biased, rtol=1e-4)
    assert [w.path.rpartition("/")[2] for w in plain.weights] == [w.path.rpartition("/")[2] for w in fused.weights]


def test_shifted_views_average_over_shifted_images() -> None:
    small = {"stem_filters": 4, "middle_filters": 4, "filters": 8}
    one, three = (build_network("residual", (28, 28, 1), 10, {**small, "views": views}) for views in ("one", "shifts"))
    three.set_weights(one.get_weights())
    images = np.zeros((4, 28, 28, 1), dtype=np.float32)
    images[:, 4:24, 4:24] = np.random.default_rng(0).random((4, 20, 20, 1))  # a border of 4: nothing is shifted out
    shifted = [np.roll(images, shift, axis=(1, 2)) for shift in ((0, 0), (1, 1), (-1, -1))]
    logs = np.mean([np.log(one.predict(view, verbose=0)) for view in shifted], axis=0)
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    assert np.allclose(three.predict(images, verbose=0), expected, atol=1e-6)
