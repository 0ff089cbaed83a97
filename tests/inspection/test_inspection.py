"""The look at a data set: what is counted, measured and said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mnist_models.data.dataset import DatasetReference, Images, read_split
from mnist_models.foundation.store import Store
from mnist_models.inspection.area import area_under_curve
from mnist_models.inspection.census import class_weights, take_census
from mnist_models.inspection.drift import measure_drift
from mnist_models.inspection.inspection import findings, inspect_dataset


def coloured(count: int = 30) -> Images:
    """The first channel rises with the class, the others are noise."""
    generator = np.random.default_rng(1)
    labels = (np.arange(count) % 3).astype(np.int32)
    pixels = generator.integers(0, 40, (count, 5, 4, 3), dtype=np.uint8)
    pixels[..., 0] = 60 * labels[:, np.newaxis, np.newaxis]
    return Images(x=pixels, y=labels)


def test_census_is_what_numpy_says() -> None:
    images = coloured()
    images.x[4] = 17
    found = take_census("train", images, 4)
    scaled = images.x / 255
    assert found.counts == (10, 10, 10, 0)
    assert found.mean == pytest.approx(scaled.mean(axis=(0, 1, 2)))
    assert found.deviation == pytest.approx(scaled.std(axis=(0, 1, 2)), abs=1e-6)
    assert found.brightness == pytest.approx([scaled[images.y == label].mean() for label in range(3)] + [0])
    assert found.constant == (4,)
    assert found.scarce() == (0, 1, 2, 3)
    assert found.imbalance == float("inf")


def test_census_of_no_images() -> None:
    found = take_census("validation", Images(x=np.zeros((0, 5, 4, 3), np.uint8), y=np.zeros(0, np.int32)), 2)
    assert (found.images, found.mean, found.constant) == (0, (0, 0, 0), ())


def test_classes_of_like_size_have_no_weights() -> None:
    assert class_weights(np.array([50, 10])) is None
    weights = np.array(class_weights(np.array([96, 12])))
    assert weights[1] / weights[0] == pytest.approx(8, rel=1e-4)
    assert (weights * [96, 12]).sum() / 108 == pytest.approx(1, rel=1e-4)
    rare = class_weights(np.array([10_000, 10_000, 2]))
    assert rare is not None and rare[2] < 20


def test_area_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    scores = np.round(labels + generator.normal(0, 1.5, 400), 1)  # with ties
    area, error = area_under_curve(scores[labels == 1], scores[labels == 0])
    assert area == pytest.approx(roc_auc_score(labels, scores))
    drawn = [generator.integers(0, 400, 400) for _ in range(300)]
    assert error == pytest.approx(np.std([roc_auc_score(labels[rows], scores[rows]) for rows in drawn]), rel=0.2)


def test_drift_is_chance_within_a_source_and_seen_across_two(store: Store, dataset: DatasetReference) -> None:
    train = read_split(store, dataset, "train")
    halves = [Images(x=train.x[half::2], y=train.y[half::2]) for half in (0, 1)]
    same = measure_drift(*halves)
    assert same is not None and same.interval_95[0] < 0.5 < same.interval_95[1]
    turned = Images(x=halves[1].x[:, ::-1], y=halves[1].y)
    other = measure_drift(halves[0], turned)
    assert other is not None and other.interval_95[0] > 0.7
    assert measure_drift(halves[0], Images(x=train.x[:9], y=train.y[:9])) is None


def test_mnist_has_nothing_to_say(store: Store, dataset: DatasetReference) -> None:
    found = inspect_dataset(dataset, store.root, key="inspection")
    assert (found.fingerprint, found.split("train").images, found.split("test").images) == (
        dataset.fingerprint,
        500,
        100,
    )
    assert findings(found, dataset.names) == []
    assert inspect_dataset(dataset, store.root, key="inspection") == found
