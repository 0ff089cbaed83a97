"""What a training will cost, roughly, before it was ever run: for estimates that what is measured soon corrects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import Record
from mnist_models.networks.by_name import Network
from mnist_models.training.specification import CURVE_IMAGES, TrainingSpec

NEW: dict[Network, float] = {"fully_connected": 0.3, "cnn": 1.0, "residual": 2.0}  # seconds to build and trace
IMAGE: dict[Network, float] = {"fully_connected": 9e-6, "cnn": 310e-6, "residual": 320e-6}  # of USUAL_PIXELS, trained
USUAL_PIXELS = 28 * 28
VALIDATED = 0.8  # in float32, of what an image costs to train on
NOT_NORMALIZED = 0.5  # of what a CNN costs with batch normalisation
SAME, EACH_PRODUCT = 0.55, 0.116e-6  # of what an average CNN costs: what all do alike, and for each multiplication


class Costs(Record):
    """What trainings cost on one thread, in seconds, by kind of network; by default, that of a current processor.

    Attributes:
        new: To build and trace a network.
        image: To train on an image of `USUAL_PIXELS`, on the average over networks that are searched.
    """

    new: dict[Network, float] = NEW
    image: dict[Network, float] = IMAGE


USUAL_COSTS = Costs()


def expected_seconds(
    spec: TrainingSpec, dataset: DatasetReference, *, new: bool, before: float = 0.0, costs: Costs = USUAL_COSTS
) -> float:
    """Returns the seconds that a training takes of one thread, if it trains all its epochs.

    Args:
        spec: The training.
        dataset: What it trains on.
        new: Whether its network has to be built and traced; else a worker has kept the program of one like it.
        before: Images that the training which it continues has seen.
        costs: Of such networks.
    """
    built = costs.new[spec.network] if new else 0.0
    return built + costs.image[spec.network] * costly_images(spec, dataset, before)


def costly_images(spec: TrainingSpec, dataset: DatasetReference, before: float = 0.0) -> float:
    """Returns how many images of `USUAL_PIXELS` an average network would train on at the same cost.

    Args:
        spec: The training.
        dataset: What it trains on.
        before: Images that the training which it continues has seen.
    """
    height, width, _ = dataset.image_shape
    epochs = float(spec.epochs) if spec.shares is None else sum(spec.shares)
    images = epochs * (dataset.train + (dataset.validation if spec.split == "train+validation" else 0)) - before
    validated = _validated(spec, dataset) if spec.split == "train" else 0
    each = height * width / USUAL_PIXELS * relative_cost(spec.hyperparameters)
    if spec.hyperparameters.get("batch_normalization") is False:
        each *= NOT_NORMALIZED
    return each * (images + VALIDATED * validated)


def _validated(spec: TrainingSpec, dataset: DatasetReference) -> int:
    """Returns how many images a training validates, in all its epochs."""
    judged = min(spec.validation_images or dataset.validation, dataset.validation)
    before = 0 if spec.validation == "last" else spec.epochs - 1
    return judged + before * (judged if spec.compares_epochs else min(CURVE_IMAGES, judged))


def relative_cost(network: Mapping[str, Any]) -> float:
    """Returns how much more than an average CNN's an image of a CNN costs; 1 where its architecture is not known.

    Args:
        network: Hyperparameters.
    """
    if "num_conv_layers" not in network:
        return 1.0
    side, channels, products = int(USUAL_PIXELS**0.5), 1, 0
    for block in range(network["num_conv_layers"]):
        filters = network["num_filters_sub_layers" if block else "num_filters_first_layer"]
        products += side**2 * network["kernel_size"] ** 2 * channels * filters
        side, channels = -(-side // 2), filters
        if network.get("subsample_type") == "strided_conv":
            products += side**2 * 5**2 * filters**2
    products += side**2 * channels * network["dense_layer_size"]
    return SAME + EACH_PRODUCT * float(products)
