"""Images that are there twice: the same pixels, or nearly; within a split, and across splits, where they leak."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_models.data.dataset import Images
from mnist_models.foundation.records import Record
from mnist_models.inspection.chunks import SPLITS, Split
from mnist_models.inspection.hashes import median_frequencies, perceptual_hashes, pixel_digests
from mnist_models.inspection.near import ALIKE, MOST_PAIRS, close_pairs, correlations, radius_for

MOST_TWINS = 200  # that are named
COMPARED_AT_ONCE = 2_000  # pairs
TRAIN, VALIDATION, TEST = range(3)  # numbers of the splits


class Place(Record):
    """Where an image lies: its split, from 0 there; and its label."""

    split: Split
    index: int
    label: int


class Twins(Record):
    """Two images that are the same, or nearly: `similarity` is 1 for equal pixels, else their correlation."""

    first: Place
    second: Place
    similarity: float


class TwinCount(Record):
    """How many images of a split have a twin in another, or a further one in their own.

    Attributes:
        split: Whose images are counted.
        other: Where their twins are.
        exact: With equal pixels; within a split, those of a group but one.
        near: With pixels that are nearly equal, and with none that are.
    """

    split: Split
    other: Split
    exact: int
    near: int


class Duplicates(Record):
    """What is in a data set twice.

    Attributes:
        counts: For each pair of splits that share images.
        conflicting: Images with the pixels of another that has another label.
        twins: At most 200 pairs: those across splits first, then those with two labels, then the most similar.
        leaks: Rows of the stored training array (training images first, validation images behind) whose image is in a
            split that judges it: in the test set, or, of training images, in the validation set.
        radius: In how many of 64 bits the perceptual hashes of near twins may differ.
    """

    counts: tuple[TwinCount, ...]
    conflicting: int
    twins: tuple[Twins, ...]
    leaks: tuple[int, ...]
    radius: int


@dataclass(frozen=True)
class _Pool:
    """All images of all splits, one after the other: pixels by row, labels, and the number of the split."""

    splits: dict[Split, Images]
    labels: np.ndarray
    split: np.ndarray
    first: np.ndarray  # row of each split's first image

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """uint8 [n, height, width, channels]."""
        stored = [self.splits[split].x for split in SPLITS]
        pixels = np.empty((len(rows), *stored[0].shape[1:]), dtype=np.uint8)
        for number, images in enumerate(stored):
            mine = self.split[rows] == number
            pixels[mine] = images[rows[mine] - self.first[number]]
        return pixels

    def place(self, row: int) -> Place:
        """Where a row's image lies."""
        number = int(self.split[row])
        return Place(split=SPLITS[number], index=int(row - self.first[number]), label=int(self.labels[row]))


def find_duplicates(splits: dict[Split, Images]) -> Duplicates:
    """Finds images that are there twice, in time that grows little faster than their number.

    Args:
        splits: All splits.
    """
    pool = _pool(splits)
    _, rows, groups = np.unique(_of_all(splits, pixel_digests), return_index=True, return_inverse=True)
    medians = median_frequencies(next(images.x for images in splits.values() if len(images)))
    hashes = _of_all(splits, lambda pixels: perceptual_hashes(pixels, medians))
    radius = radius_for(len(groups))
    pairs = close_pairs(hashes[rows], radius)[:MOST_PAIRS]
    similarities = _similarities(pool, rows[pairs])
    alike = similarities >= ALIKE
    pairs, similarities = pairs[alike], similarities[alike]
    here = _presence(groups, pool.split, len(rows))
    near = _near_presence(pairs, here)
    return Duplicates(
        counts=_counts(pool.split, groups, here, near),
        conflicting=_conflicting(groups, pool.labels, len(rows)),
        twins=_name_twins(pool, groups, rows[pairs], similarities),
        leaks=_leaks(pool.split, (here + near)[groups]),
        radius=radius,
    )


def _pool(splits: dict[Split, Images]) -> _Pool:
    counts = [len(splits[split]) for split in SPLITS]
    return _Pool(
        splits=splits,
        labels=np.concatenate([splits[split].y for split in SPLITS]),
        split=np.repeat(np.arange(len(SPLITS)), counts),
        first=np.cumsum([0, *counts[:-1]]),
    )


def _of_all(splits: dict[Split, Images], measure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.concatenate([measure(splits[split].x) for split in SPLITS])


def _similarities(pool: _Pool, pairs: np.ndarray) -> np.ndarray:
    """Correlation of the pixels of each pair of rows, float64 [pairs]."""
    parts = [
        correlations(pool.pixels(some[:, 0]), pool.pixels(some[:, 1]))
        for some in np.split(pairs, range(COMPARED_AT_ONCE, len(pairs), COMPARED_AT_ONCE))
        if len(some)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _presence(groups: np.ndarray, split: np.ndarray, count: int) -> np.ndarray:
    """How many images of each split are in each group of equal pixels, int64 [groups, splits]."""
    cells: np.ndarray = np.bincount(groups * len(SPLITS) + split, minlength=count * len(SPLITS))
    return cells.reshape(count, len(SPLITS))


def _near_presence(pairs: np.ndarray, here: np.ndarray) -> np.ndarray:
    """How many images of each split are nearly equal to each group, int64 [groups, splits]."""
    near = np.zeros_like(here)
    np.add.at(near, pairs[:, 0], here[pairs[:, 1]])
    np.add.at(near, pairs[:, 1], here[pairs[:, 0]])
    return near


def _counts(split: np.ndarray, groups: np.ndarray, here: np.ndarray, near: np.ndarray) -> tuple[TwinCount, ...]:
    counts = []
    for own, other in itertools.product(range(len(SPLITS)), repeat=2):
        mine = groups[split == own]
        exact = here[mine, other] > (own == other)
        superfluous = exact.sum() if own != other else np.maximum(here[:, own] - 1, 0).sum()
        nearly = (~exact & (near[mine, other] > 0)).sum()
        if superfluous or nearly:
            names = {"split": SPLITS[own], "other": SPLITS[other]}
            counts.append(TwinCount(**names, exact=int(superfluous), near=int(nearly)))
    return tuple(counts)


def _conflicting(groups: np.ndarray, labels: np.ndarray, count: int) -> int:
    lowest, highest = np.full(count, np.iinfo(labels.dtype).max, dtype=labels.dtype), np.zeros(count, labels.dtype)
    np.minimum.at(lowest, groups, labels)
    np.maximum.at(highest, groups, labels)
    return int((lowest != highest)[groups].sum())


def _leaks(split: np.ndarray, twins: np.ndarray) -> tuple[int, ...]:
    """Rows of training and validation images with a twin in a split that judges them; `twins` is [n, splits]."""
    leaking = (twins[:, TEST] > 0) & (split != TEST)
    leaking |= (twins[:, VALIDATION] > 0) & (split == TRAIN)
    return tuple(np.flatnonzero(leaking).tolist())


def _name_twins(pool: _Pool, groups: np.ndarray, near: np.ndarray, similarities: np.ndarray) -> tuple[Twins, ...]:
    exact = _exact_pairs(groups, pool.split)
    pairs = np.concatenate([exact, near])
    alike = np.concatenate([np.ones(len(exact)), similarities])
    same_split, same_label = (values[pairs[:, 0]] == values[pairs[:, 1]] for values in (pool.split, pool.labels))
    chosen = np.lexsort((-alike, same_label, same_split))[:MOST_TWINS]
    return tuple(
        Twins(first=pool.place(a), second=pool.place(b), similarity=float(similarity))
        for (a, b), similarity in zip(pairs[chosen], alike[chosen], strict=True)
    )


def _exact_pairs(groups: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Each image of a group but one, with that one, which is of the split that judges most: int64 [pairs, 2]."""
    order = np.lexsort((-split, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    pairs = np.stack([order, np.repeat(order[starts], sizes)], axis=1)
    twins: np.ndarray = pairs[pairs[:, 0] != pairs[:, 1]]
    return twins
