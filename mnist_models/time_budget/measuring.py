"""What trainings cost here: a few hundred images of one example of each kind of network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.store import Address
from mnist_models.networks.by_name import Network
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.programs.shape import Precision
from mnist_models.training.cost import Costs, costly_images
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec

IMAGES: dict[Network, int] = {"fully_connected": 30_000, "cnn": 1_500, "residual": 1_500}
VALIDATED = 200  # images
AVERAGE: dict[Network, float] = {"fully_connected": 0.75, "cnn": 1.9, "residual": 1.2}
"""What an image costs an average network of the searches, against the example: measured where `cost.IMAGE` was, the
residual's by what the recipe searches of two runs took (docs/performance.md)."""

_BATCHES: dict[Network, int] = {"fully_connected": 256, "cnn": 256, "residual": 128}
_HYPERPARAMETERS: dict[Network, dict[str, Any]] = {
    "fully_connected": {"hidden_layer_size": 256, "depth": 2},
    "cnn": {
        "num_conv_layers": 2,
        "num_filters_first_layer": 32,
        "num_filters_sub_layers": 32,
        "kernel_size": 3,
        "dense_layer_size": 128,
        "dropout_rate": 0.25,
    },
    "residual": {
        "stem_filters": 16,
        "middle_filters": 32,
        "filters": 96,
        "residual_blocks": 1,
        "views": "shifts",
    },
}


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        costs: Of the kinds of network that were measured.
        seconds: That it took.
    """

    costs: Costs
    seconds: float


def measure(kinds: Sequence[Network], dataset: DatasetReference, root: Address, precision: Precision) -> Measured:
    """Trains an example of each kind of network twice: the first time it has to be built and traced, too.

    Args:
        kinds: Which.
        dataset: On what.
        root: The store's address.
        precision: Of the trainings to come.
    """
    begin = time.perf_counter()
    fit(_smallest(dataset, precision), dataset, root, key="measured")  # what a worker does once in its life
    new: dict[Network, float] = {}
    image: dict[Network, float] = {}
    for kind in kinds:
        spec = _example(kind, dataset, precision)
        first, second = _seconds(spec, dataset, root), _seconds(spec, dataset, root)
        new[kind] = max(first - second, 0.0)
        image[kind] = second / costly_images(spec, dataset) * AVERAGE[kind]
    return Measured(Costs(new=new, image=image), time.perf_counter() - begin)


def mean_costs(measured: Sequence[Measured]) -> Measured:
    """Returns the mean of what some workers measured of the same kinds at the same time."""
    costs = [one.costs for one in measured]
    return Measured(
        Costs(
            new={kind: fmean(one.new[kind] for one in costs) for kind in costs[0].new},
            image={kind: fmean(one.image[kind] for one in costs) for kind in costs[0].image},
        ),
        max(one.seconds for one in measured),
    )


def _example(network: Network, dataset: DatasetReference, precision: Precision) -> TrainingSpec:
    residual = network == "residual"
    return TrainingSpec(
        network=network,
        hyperparameters=_HYPERPARAMETERS[network],
        optimizer=Optimizer(name="muon") if residual else Optimizer(),
        augmentation=Augmentation(width_shift_range=0.07, height_shift_range=0.07) if residual else None,
        batch_size=_BATCHES[network],
        epochs=1,
        shares=(IMAGES[network] / dataset.train,),
        selection="random",
        validation_images=VALIDATED,
        validation="last",
        keep="last",
        precision=precision,
    )


def _smallest(dataset: DatasetReference, precision: Precision) -> TrainingSpec:
    spec = _example("fully_connected", dataset, precision)
    return spec.model_copy(update={"hyperparameters": {"hidden_layer_size": 1, "depth": 1}, "shares": (0.01,)})


def _seconds(spec: TrainingSpec, dataset: DatasetReference, root: Address) -> float:
    begin = time.perf_counter()
    fit(spec, dataset, root, key="measured")
    return time.perf_counter() - begin
