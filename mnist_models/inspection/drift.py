"""Whether training and test images come from one source: how well a classifier tells them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_models.data.dataset import Images
from mnist_models.foundation.records import Record
from mnist_models.inspection.area import area_under_curve, interval_95

SAMPLE = 1_000  # images of each split: enough to see an area of 0.55
FOLDS = 5
TREES = 60
PIXELS = 14  # of each side that the classifier sees
FEWEST = 2 * FOLDS  # images of each split; with fewer nothing can be said


class Drift(Record):
    """How well training images are told from test images by their pixels.

    Attributes:
        auc: Area under the ROC curve, cross-validated: 0.5 where they cannot be told apart, 1 where always.
        interval_95: Of it (DeLong et al. 1988).
        images: How many of each split it was measured on.
    """

    auc: float
    interval_95: tuple[float, float]
    images: int


def measure_drift(train: Images, test: Images, seed: int = 0) -> Drift | None:
    """Trains trees on some images of both splits and has them judge others.

    Args:
        train: Training images.
        test: Test images.
        seed: Of the choice of images, of the folds and of the trees.

    Returns:
        The drift, or None where a split has too few images.
    """
    count = min(SAMPLE, len(train), len(test))
    if count < FEWEST:
        return None
    generator = np.random.default_rng(seed)
    chosen = [np.sort(generator.choice(len(images), count, replace=False)) for images in (train, test)]
    x = np.concatenate([_features(images.x[rows]) for images, rows in zip((train, test), chosen, strict=True)])
    y = np.repeat([0, 1], count)
    scores = _out_of_fold_scores(x, y, seed)
    auc, error = area_under_curve(scores[y == 1], scores[y == 0])
    return Drift(auc=auc, interval_95=interval_95(auc, error), images=count)


def _out_of_fold_scores(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import ExtraTreesClassifier  # takes a second to import
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    trees: Any = ExtraTreesClassifier(TREES, min_samples_leaf=5, n_jobs=1, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores: np.ndarray = cross_val_predict(trees, x, y, cv=folds, method="predict_proba")[:, 1]
    return scores


def _features(pixels: np.ndarray) -> np.ndarray:
    """The images in so few pixels, each the mean of those it stands for, float32 [n, features]."""
    for axis in (1, 2):
        size = pixels.shape[axis]
        edges = np.linspace(0, size, min(PIXELS, size) + 1).astype(int)
        sums = np.add.reduceat(pixels, edges[:-1], axis=axis, dtype=np.float32)
        widths = np.diff(edges).astype(np.float32)
        pixels = sums / widths.reshape([-1 if dimension == axis else 1 for dimension in range(4)])
    return pixels.reshape(len(pixels), -1)
