"""What a training hands its network: rates of dropout, random bits and the strength of L2."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_models.networks.by_name import build_network
from mnist_models.programs.tunable import Tunable

SHAPE = (4, 4, 1)
FEATURES = 64
BITS = np.random.default_rng(1).integers(2**16, size=(500, 2 * FEATURES), dtype=np.uint16)


@pytest.fixture
def model() -> keras.Model:
    hyperparameters = {"hidden_layer_size": FEATURES, "depth": 2, "dropout_rate": 0.1, "l2_strength": 1e-3}
    return build_network("fully_connected", SHAPE, 10, hyperparameters)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_dropout_takes_the_rate_and_the_bits_it_was_given(model: keras.Model, rate: float) -> None:
    tunable = Tunable(model)
    tunable.set({"dropout_rate": rate})
    tunable.hand_out(tf.constant(BITS))
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    ones = np.ones((len(BITS), FEATURES), np.float32)
    first, second = (layer(ones, training=True).numpy() for layer in layers)
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / (1 - np.float32(rate)))}
    assert (first == 0).mean() == pytest.approx(rate, abs=0.01)
    assert not np.array_equal(first, second)
    assert np.array_equal(layers[0](ones, training=False).numpy(), ones)


def test_dropout_without_bits_is_the_plain_layer(model: keras.Model) -> None:
    tunable = Tunable(model)
    tunable.set({"dropout_rate": 0.5})
    tunable.hand_out(tf.constant(BITS))
    tunable.hand_out(None)
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    dropped = layer(np.ones((500, FEATURES), np.float32), training=True).numpy()
    assert (dropped == 0).mean() == pytest.approx(0.1, abs=0.01)  # the rate that it was built with


def test_the_penalty_is_that_of_keras(model: keras.Model) -> None:
    tunable = Tunable(model)
    tunable.set({"dropout_rate": 0.1, "l2_strength": 1e-3})
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        penalty = tf.add_n(model.losses)
    expected = tape.gradient(penalty, [v.value for v in variables], unconnected_gradients="zero")
    added = tunable.add_penalty([tf.zeros(variable.shape) for variable in variables], variables)
    assert len(model.losses) == 2
    for ours, theirs in zip(added, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
