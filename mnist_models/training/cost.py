"""What a training will cost, roughly, before it was ever run: for estimates that what is measured soon corrects."""

from __future__ import annotations

from mnist_models.data.dataset import DatasetReference
from mnist_models.networks.by_name import Network
from mnist_models.training.specification import TrainingSpec

NEW: dict[Network, float] = {"fully_connected": 0.3, "cnn": 1.0, "residual": 2.0}  # seconds to build and trace
IMAGE: dict[Network, float] = {"fully_connected": 9e-6, "cnn": 310e-6, "residual": 320e-6}  # of USUAL_PIXELS, trained
USUAL_PIXELS = 28 * 28
VALIDATED = 0.8  # in float32, of what an image costs to train on
NOT_NORMALIZED = 0.5  # of what a CNN costs with batch normalisation


def expected_seconds(spec: TrainingSpec, dataset: DatasetReference, *, new: bool, before: float = 0.0) -> float:
    """Returns the seconds that a training takes of one thread of a current processor, if it trains all its epochs.

    Args:
        spec: The training.
        dataset: What it trains on.
        new: Whether its network has to be built and traced; else a worker has kept the program of one like it.
        before: Images that the training which it continues has seen.
    """
    height, width, _ = dataset.image_shape
    epochs = float(spec.epochs) if spec.shares is None else sum(spec.shares)
    images = epochs * (dataset.train + (dataset.validation if spec.split == "train+validation" else 0)) - before
    times = spec.epochs if spec.validation == "every" else 1
    validated = times * min(spec.validation_images or dataset.validation, dataset.validation)
    if spec.split != "train":
        validated = 0
    each = IMAGE[spec.network] * height * width / USUAL_PIXELS
    if spec.hyperparameters.get("batch_normalization") is False:
        each *= NOT_NORMALIZED
    return (NEW[spec.network] if new else 0.0) + each * (images + VALIDATED * validated)
