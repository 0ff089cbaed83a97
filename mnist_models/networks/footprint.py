"""How much memory a network takes, roughly and from its hyperparameters alone: before anything is built.

Hyperparameters that are yet to be found count as the largest that are searched for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mnist_models.networks.by_name import Network

Hyperparameters = Mapping[str, Any]
ImageShape = tuple[int, int, int]
KEPT = 3  # outputs of a convolution that training keeps: its own, normalised, activated


@dataclass(frozen=True)
class Footprint:
    """What a network is made of.

    Attributes:
        parameters: Number of weights.
        activations: Number of values that training keeps for each image.
    """

    parameters: int
    activations: int


def footprint(network: Network, image_shape: ImageShape, classes: int, hyperparameters: Hyperparameters) -> Footprint:
    """Returns the footprint of a network.

    Args:
        network: Which.
        image_shape: (height, width, channels).
        classes: Number of classes.
        hyperparameters: Those that are known of what its `build` takes.
    """
    return _FOOTPRINTS[network](image_shape, classes, hyperparameters)


def _fully_connected(image_shape: ImageShape, classes: int, values: Hyperparameters) -> Footprint:
    size, depth = values.get("hidden_layer_size", 512), values.get("depth", 4)
    half = values.get("size_variation") == "half"
    sizes = [math.prod(image_shape), *(max(size >> layer, 1) if half else size for layer in range(depth)), classes]
    weights = sum((inputs + 1) * outputs for inputs, outputs in zip(sizes, sizes[1:], strict=False))
    return Footprint(weights, sizes[0] + 2 * sum(sizes[1:]))


def _cnn(image_shape: ImageShape, classes: int, values: Hyperparameters) -> Footprint:
    height, width, channels = image_shape
    weights, kept = 0, height * width * channels
    known = "num_conv_layers" in values  # then what is not named is as `build` has it
    kernel = values.get("kernel_size", 5)
    strided = values.get("subsample_type", "max_pool" if known else "strided_conv") == "strided_conv"
    for block in range(values.get("num_conv_layers", 2)):
        filters = values.get("num_filters_sub_layers", 64) if block else values.get("num_filters_first_layer", 32)
        weights += (kernel**2 * channels + 4) * filters + (25 * filters + 4) * filters * strided
        kept += KEPT * height * width * filters
        height, width, channels = math.ceil(height / 2), math.ceil(width / 2), filters
        kept += (KEPT if strided else 1) * height * width * filters
    dense = values.get("dense_layer_size", 256)
    weights += (height * width * channels + 4) * dense + (dense + 1) * classes
    return Footprint(weights, kept + KEPT * dense)


def _residual(image_shape: ImageShape, classes: int, values: Hyperparameters) -> Footprint:
    height, width, channels = image_shape
    filters = values.get("filters", 96)
    wide = [(filters, 4)] * (1 + values.get("residual_blocks", 1))
    weights, kept = 0, height * width * channels
    for outputs, shrunk in (
        (values.get("stem_filters", 16), 1),
        (values.get("middle_filters", 32), 2),
        *wide,
        (filters, 8),
    ):
        weights += (9 * channels + 4) * outputs
        kept += KEPT * math.ceil(height / shrunk) * math.ceil(width / shrunk) * outputs
        channels = outputs
    return Footprint(weights + (filters + 1) * classes, kept)


_FOOTPRINTS: dict[Network, Callable[[ImageShape, int, Hyperparameters], Footprint]] = {
    "fully_connected": _fully_connected,
    "cnn": _cnn,
    "residual": _residual,
}
