"""What a training will cost, roughly, before it was ever run: for estimates that what is measured soon corrects."""

from __future__ import annotations

from mnist_models.networks.by_name import Network
from mnist_models.training.specification import TrainingSpec

START: dict[Network, float] = {"fully_connected": 0.4, "cnn": 0.8, "residual": 2.5}  # seconds to build and trace
IMAGE: dict[Network, float] = {"fully_connected": 12e-6, "cnn": 430e-6, "residual": 340e-6}  # of 28 × 28 pixels
USUAL_PIXELS = 28 * 28


def expected_seconds(spec: TrainingSpec, images: int, image_shape: tuple[int, int, int]) -> float:
    """Returns the seconds that a training takes of one thread of a current processor, all its epochs.

    Args:
        spec: The training.
        images: That an epoch of all images has.
        image_shape: (height, width, channels).
    """
    epochs = float(spec.epochs) if spec.shares is None else sum(spec.shares)
    height, width, _ = image_shape
    return START[spec.network] + IMAGE[spec.network] * epochs * images * height * width / USUAL_PIXELS
