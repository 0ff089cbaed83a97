"""Images that are there twice: all are found, none is made up, and what leaks can be left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_models.data.dataset import DatasetReference, Images, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.inspection import chunks as chunks_module
from mnist_models.inspection.chunks import SPLITS, Split, chunks, read_splits
from mnist_models.inspection.duplicates import Duplicates, find_duplicates
from mnist_models.inspection.near import close_pairs, correlations, radius_for
from mnist_models.inspection.selection import drop_leaks


@pytest.fixture
def splits(store: Store, dataset: DatasetReference) -> dict[Split, Images]:
    """Real digits that a test may change."""
    found = read_splits(store, dataset)
    return {split: Images(x=np.array(images.x), y=np.array(images.y)) for split, images in found.items()}


def counts(found: Duplicates) -> dict[tuple[str, str], tuple[int, int]]:
    return {(count.split, count.other): (count.exact, count.near) for count in found.counts}


def test_real_digits_have_no_twins(splits: dict[Split, Images]) -> None:
    found = find_duplicates(splits)
    assert (found.counts, found.twins, found.leaks, found.conflicting) == ((), (), (), 0)


def test_equal_pixels_are_found_within_and_across_splits(splits: dict[Split, Images]) -> None:
    train, validation, test = (splits[split] for split in SPLITS)
    train.x[7] = train.x[9]  # twice in one split
    train.y[7] = (train.y[9] + 1) % 10  # with two labels
    train.x[20:23] = test.x[:3]
    validation.x[5] = test.x[3]
    train.x[30] = validation.x[6]
    found = find_duplicates(splits)
    assert counts(found) == {
        ("train", "train"): (1, 0), ("train", "test"): (3, 0), ("test", "train"): (3, 0),
        ("validation", "test"): (1, 0), ("test", "validation"): (1, 0),
        ("train", "validation"): (1, 0), ("validation", "train"): (1, 0),
    }  # fmt: skip
    assert found.leaks == (20, 21, 22, 30, len(train) + 5)
    same_label = int(train.y[20] == test.y[0]) + int(train.y[21] == test.y[1]) + int(train.y[22] == test.y[2])
    same_label += int(validation.y[5] == test.y[3]) + int(train.y[30] == validation.y[6])
    assert found.conflicting == 2 * (1 + 5 - same_label)
    assert {(t.first.split, t.first.index, t.second.split, t.second.index) for t in found.twins[:5]} == {
        ("train", 20, "test", 0), ("train", 21, "test", 1), ("train", 22, "test", 2), ("validation", 5, "test", 3),
        ("train", 30, "validation", 6),
    }  # fmt: skip
    assert {twins.similarity for twins in found.twins} == {1.0}


@pytest.mark.parametrize("change", ["brighter", "noisy", "contrast"])
def test_near_twins_are_found(splits: dict[Split, Images], change: str) -> None:
    changed: dict[str, Any] = {
        "brighter": lambda x: np.clip(x.astype(int) + 20, 0, 255),
        "noisy": lambda x: np.clip(x + np.random.default_rng(0).normal(0, 4, x.shape), 0, 255),
        "contrast": lambda x: x * 0.7,
    }
    splits["train"].x[10:20] = changed[change](splits["test"].x[40:50])
    found = find_duplicates(splits)
    assert counts(found)["train", "test"] == (0, 10)
    assert found.leaks == tuple(range(10, 20))
    assert all(0.995 <= twins.similarity < 1.0001 for twins in found.twins)


@settings(deadline=None)  # a loaded machine is not a mistake
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12), st.integers(1, 3), st.randoms())
def test_all_close_hashes_are_found_and_no_others(seeds: list[int], radius: int, random: Any) -> None:
    flipped = [seed ^ (1 << random.randrange(64)) ^ (1 << random.randrange(64)) for seed in seeds for _ in range(3)]
    hashes = np.array([*seeds, *flipped], dtype=np.uint64)
    distances = np.bitwise_count(hashes[:, np.newaxis] ^ hashes)
    expected = {(a, b) for a, b in np.argwhere(distances <= radius).tolist() if a < b}
    assert set(map(tuple, close_pairs(hashes, radius).tolist())) == expected


def test_many_equal_images_cost_no_pair_each(splits: dict[Split, Images]) -> None:
    splits["train"].x[:] = splits["train"].x[0]
    found = find_duplicates(splits)
    assert counts(found) == {("train", "train"): (499, 0)}
    assert len(found.twins) == 200


def test_larger_sets_have_smaller_radii() -> None:
    assert [radius_for(count) for count in (100, 200_000, 200_001, 10**7)] == [3, 3, 2, 1]


def test_correlation_ignores_brightness_and_contrast() -> None:
    images = np.random.default_rng(0).integers(0, 100, (3, 8, 8, 3), dtype=np.uint8)
    assert np.allclose(correlations(images, images * 2 + 5), 1)
    assert np.all(correlations(images, np.zeros_like(images)) == 0)
    assert np.all(np.abs(correlations(images, images[::-1])[[0, 2]]) < 0.4)


def test_chunks_are_small_and_miss_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 255, (10, 6, 6, 3), dtype=np.uint8)
    monkeypatch.setattr(chunks_module, "CHUNK_BYTES", 3 * images[0].nbytes + 1)
    parts = list(chunks(images))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert np.array_equal(np.concatenate(parts), images)
    monkeypatch.setattr(chunks_module, "CHUNK_BYTES", 1)
    assert [len(part) for part in chunks(images)] == [1] * 10


def test_leaks_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dataset = preprocess(store, data=None, images=600, seed=1, key="dataset")
    derived = drop_leaks(store, dataset, (0, 3, 499, 500, 599), key="derived")
    assert (derived.train, derived.validation, derived.test) == (497, 98, 100)
    assert derived.key == "derived"
    assert derived.fingerprint != dataset.fingerprint
    assert drop_leaks(store, dataset, (0, 3, 499, 500, 598), key="other").fingerprint != derived.fingerprint
    before, after = (read_split(store, one, "train+validation") for one in (dataset, derived))
    kept = np.delete(np.arange(600), [0, 3, 499, 500, 599])
    assert np.array_equal(after.x, before.x[kept]) and np.array_equal(after.y, before.y[kept])
    assert np.array_equal(read_split(store, derived, "test").x, read_split(store, dataset, "test").x)
    with pytest.raises(ValueError, match="--drop-leaks to leave images.*100 leaks.*500 and 0"):
        drop_leaks(store, dataset, tuple(range(500, 600)), key="nothing")
