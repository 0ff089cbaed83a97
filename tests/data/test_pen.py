"""MNIST's own images are told from others by what they show, and keep their form."""

from __future__ import annotations

import numpy as np

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.pen import Pen, has_form, measure_pen
from mnist_models.foundation.store import Store


def test_mnist_is_pen_on_paper_in_a_box_of_20_pixels(store: Store, dataset: DatasetReference) -> None:
    images = read_split(store, dataset, "train").x
    assert measure_pen(images) == Pen(box=20)
    assert np.mean([has_form(image[..., 0], Pen(box=20)) for image in images]) > 0.98


def test_mnist_in_another_size_has_another_box(store: Store, dataset: DatasetReference) -> None:
    images = read_split(store, dataset, "train").x.repeat(2, axis=1).repeat(2, axis=2)
    assert measure_pen(images) == Pen(box=40)


def test_other_images_are_not(store: Store, dataset: DatasetReference) -> None:
    digits = np.array(read_split(store, dataset, "train").x)
    assert measure_pen(255 - digits) is None  # dark on light
    assert measure_pen(np.roll(digits, 3, axis=2)) is None  # off centre
    assert measure_pen(digits.repeat(3, axis=3)) is None  # in colour
    rng = np.random.default_rng(1)
    assert measure_pen(rng.integers(0, 256, (200, 28, 28, 1), dtype=np.uint8)) is None
    assert measure_pen(digits[:, 4:24, 4:24]) is None  # cut to the ink
    assert measure_pen(digits[:0]) is None
