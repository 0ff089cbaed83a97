"""What will fit is known before anything is built, because sizes are those of the networks that are built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_models.data.dataset import evaluation_batch
from mnist_models.networks.by_name import Network, build_network
from mnist_models.networks.footprint import footprint
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.programs.memory import expected_memory, fitting_batch
from mnist_models.programs.shape import Shape
from tests.networks.test_networks import EXAMPLES


def shape(network: Network, image_shape: tuple[int, int, int], **changes: Any) -> Shape:
    values: dict[str, Any] = {"hyperparameters": {}, "classes": 10, "optimizer": Optimizer(), "batch_size": 256}
    return Shape(network=network, image_shape=image_shape, **{**values, **changes})


@pytest.mark.parametrize(("network", "hyperparameters"), EXAMPLES)
@pytest.mark.parametrize("image_shape", [(28, 28, 1), (33, 20, 3)])
def test_footprint_is_that_of_the_built_network(
    network: Network, hyperparameters: dict[str, Any], image_shape: tuple[int, int, int]
) -> None:
    model = build_network(network, image_shape, 7, hyperparameters)
    found = footprint(network, image_shape, 7, hyperparameters)
    weights = sum(np.asarray(weight).size for weight in model.weights)
    assert found.parameters == pytest.approx(weights, rel=0.02)
    one_view = next((layer for layer in model.layers if hasattr(layer, "layers")), model)
    outputs = sum(int(np.prod(layer.output.shape[1:])) for layer in one_view.layers)
    assert outputs / 2 < found.activations < 2 * outputs


@pytest.mark.parametrize("network", ["fully_connected", "cnn", "residual"])
def test_mnist_is_trained_as_ever(network: Network) -> None:
    for precision in ("float32", "bfloat16"):
        assert fitting_batch(shape(network, (28, 28, 1), precision=precision)) == 256
    assert expected_memory(shape(network, (28, 28, 1))) < 950_000_000
    assert evaluation_batch((28, 28, 1)) == 250


def test_large_images_go_into_smaller_steps() -> None:
    large = shape("cnn", (128, 128, 3))
    assert 16 <= fitting_batch(large) < 64
    assert expected_memory(large.model_copy(update={"batch_size": fitting_batch(large)})) < expected_memory(large) / 2
    assert evaluation_batch((128, 128, 3)) < 30
    assert evaluation_batch((4_000, 4_000, 3)) == 1


def test_weights_are_not_shrunk_by_smaller_steps() -> None:
    assert fitting_batch(shape("fully_connected", (128, 128, 3))) == 256
    assert expected_memory(shape("fully_connected", (128, 128, 3))) > 2_000_000_000
