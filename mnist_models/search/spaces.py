"""The search spaces: one function per study declares its hyperparameters, with the values of the original project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


LEARNING_RATES = (1e-4, 5e-4, 8e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2)


def fully_connected_grid(hp: HyperParameters) -> None:
    """Seed, step 3: 5 × 2 × 3 × 3 = 90 combinations."""
    hp.Choice("hidden_layer_size", [32, 64, 128, 256, 512])
    hp.Choice("size_variation", ["constant", "half"])
    hp.Choice("depth", [2, 3, 4])
    hp.Choice("activation", ["relu", "elu", "tanh"])


def fully_connected_hyperband(hp: HyperParameters) -> None:
    """Size, depth, regularisation and learning rate of the fully connected network."""
    hp.Int("depth", 1, 3)
    hp.Choice("hidden_layer_size", [32, 64, 128, 256])
    hp.Choice("activation", ["relu", "tanh"])
    hp.Float("dropout_rate", 0.1, 0.5, step=0.05)
    hp.Choice("l2_strength", [1e-4, 1e-3, 1e-2])
    hp.Float("learning_rate", 1e-4, 1e-2, step=1e-3)


def cnn_bayesian(hp: HyperParameters) -> None:
    """Architecture, dropout and learning rate of the convolutional network: the original's space, and our blocks."""
    hp.Choice("block_type", ["activation_last", "activation_first"])
    hp.Choice("num_conv_layers", [2, 3])
    hp.Choice("num_filters_first_layer", [16, 32])
    hp.Choice("num_filters_sub_layers", [32, 64])
    hp.Choice("kernel_size", [3, 5])
    hp.Choice("subsample_type", ["max_pool", "strided_conv"])
    hp.Choice("dense_layer_size", [64, 128, 256])
    hp.Choice("activation", ["relu", "tanh"])
    hp.Float("dropout_rate", 0.1, 0.5, step=0.1)
    hp.Choice("learning_rate", [1e-4, 1e-3, 1e-2])


def cnn_augmentation(hp: HyperParameters) -> None:
    """Augmentation, dropout and learning rate; the architecture is frozen."""
    hp.Float("rotation_range", 0.0, 0.3, step=0.05)
    hp.Float("zoom_range", 0.0, 0.1, step=0.025)
    hp.Float("width_shift_range", 0.0, 0.2, step=0.05)
    hp.Float("height_shift_range", 0.0, 0.2, step=0.05)
    hp.Float("dropout_rate", 0.1, 0.5, step=0.1)
    hp.Choice("learning_rate", [1e-4, 5e-4, 1e-3, 5e-3, 1e-2])


def cnn_learning_rate(hp: HyperParameters) -> None:
    """The learning rate; all else is frozen."""
    hp.Choice("learning_rate", list(LEARNING_RATES))


def residual_recipe(hp: HyperParameters) -> None:
    """The whole recipe of the residual network: architecture, optimiser, batch, augmentation, views."""
    hp.Choice("stem_filters", [8, 16, 32])
    hp.Choice("middle_filters", [16, 32, 64])
    hp.Choice("filters", [64, 96, 128])
    hp.Choice("stem_kernel_size", [3, 5])
    hp.Choice("residual_blocks", [1, 2])
    hp.Choice("views", ["one", "shifts", "turns"])
    hp.Choice("optimizer", ["muon", "sgd", "adam"])
    hp.Choice("learning_rate_factor", [0.25, 0.5, 1.0, 2.0])
    hp.Choice("weight_decay", [0.0, 1e-4, 5e-4, 2e-3])
    hp.Choice("batch_size", [64, 128, 256])
    hp.Choice("selection", ["hard", "random"])
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1, 0.2])
    hp.Choice("rotation_range", [0.0, 0.022, 0.06, 0.17, 0.5])
    hp.Choice("shift_range", [0.0, 0.036, 0.071, 0.107])
    hp.Choice("zoom_range", [0.0, 0.08, 0.16])
    hp.Choice("shear_range", [0.0, 0.1, 0.2])
    hp.Choice("elastic_range", [0.0, 0.02, 0.04])
    hp.Choice("erasing_range", [0.0, 0.25, 0.5])
    hp.Choice("flip", ["none", "horizontal", "both"])


def declare(name: str, hp: HyperParameters) -> None:
    """Declares the search space of that name."""
    globals()[name](hp)


def search_space(name: str) -> HyperParameters:
    """Returns the search space of that name."""
    from keras_tuner import HyperParameters  # which imports TensorFlow: seconds that a plan of a run need not wait for

    hp = HyperParameters()
    declare(name, hp)
    return hp
