from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist_models.data import preprocessing
from mnist_models.data.dataset import DatasetReference, read_split, scale
from mnist_models.data.preprocessing import EMBEDDED, open_data, preprocess
from mnist_models.data.split import grouped_split, stratified_counts, stratified_split
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from mnist_models.sources.source import DataError


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=20)
    .filter(any)
    .flatmap(lambda available: st.tuples(st.just(available), st.integers(0, sum(available))))
)
def test_stratified_counts_are_exact_shares(drawn: tuple[list[int], int]) -> None:
    available, total = np.array(drawn[0]), drawn[1]
    counts = stratified_counts(available, total)
    assert counts.sum() == total
    assert (counts <= available).all()
    assert (np.abs(counts - available * total / available.sum()) < 1).all()


@given(arrays(np.int32, st.integers(12, 200), elements=st.integers(0, 6)), st.integers(0, 5))
def test_split_is_a_partition_and_repeats(labels: np.ndarray, seed: int) -> None:
    validation = len(labels) // 6
    first, second = stratified_split(labels, validation, seed)
    assert len(second) == validation
    assert sorted([*first, *second]) == list(range(len(labels)))
    again = stratified_split(labels, validation, seed)
    assert np.array_equal(first, again[0])
    assert np.array_equal(second, again[1])


def test_another_seed_splits_differently() -> None:
    labels = np.arange(600) % 10
    assert not np.array_equal(stratified_split(labels, 100, 1)[1], stratified_split(labels, 100, 2)[1])


@given(st.data())
def test_groups_are_never_split(data: st.DataObject) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 30), min_size=12, max_size=200)))
    labels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, len(groups))
    first, second = grouped_split(labels, groups, len(groups) // 6, 1)
    assert sorted([*first, *second]) == list(range(len(groups)))
    assert not set(groups[first]) & set(groups[second])


def test_a_split_has_large_and_small_groups_as_the_whole() -> None:
    groups = np.r_[np.repeat(np.arange(24), 25), np.arange(24, 624)]
    _, chosen = grouped_split(np.arange(1200) % 3, groups, 200, 1)
    assert len(chosen) == pytest.approx(200, abs=15)
    assert (groups[chosen] < 24).mean() == pytest.approx(0.5, abs=0.1)


def test_a_split_of_many_small_groups_has_the_mix_of_the_whole() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 300, 3_000)
    labels = (generator.random(3_000) < 0.2).astype(int)
    _, chosen = grouped_split(labels, groups, 500, 1)
    assert abs(len(chosen) - 500) < 20
    assert abs(labels[chosen].mean() - labels.mean()) < 0.02


def test_mnist_is_split_50_10_10(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reference = preprocess(store, data=None, images=None, seed=1, key="dataset-all")
    assert (reference.train, reference.validation, reference.test) == (50_000, 10_000, 10_000)
    assert (reference.image_shape, reference.classes) == ((28, 28, 1), 10)
    with np.load(EMBEDDED) as arrays:
        source = dict(arrays)
    train, validation, test = (read_split(store, reference, split) for split in ("train", "validation", "test"))
    assert np.array_equal(np.bincount(train.y) + np.bincount(validation.y), np.bincount(source["y_train"]))
    assert np.abs(np.bincount(validation.y) - np.bincount(source["y_train"]) / 6).max() < 1
    assert np.array_equal(test.x[..., 0], source["x_test"])
    everything = read_split(store, reference, "train+validation")
    as_rows = {image.tobytes() for image in source["x_train"]}
    assert {image.tobytes() for image in everything.x} == as_rows
    assert isinstance(everything.x.base, np.memmap) or isinstance(everything.x, np.memmap)


def test_pixels_are_scaled_to_unit_float32() -> None:
    scaled = scale(np.array([0, 51, 255], dtype=np.uint8))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == [0.0, pytest.approx(0.2), 1.0]


def test_a_damaged_array_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reference = preprocess(store, data=None, images=600, seed=1, key="dataset-damaged")
    path = tmp_path / reference.files["x_train"].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="x_train.npy"):
        read_split(store, reference, "train")


def test_an_unknown_split_is_refused(store: Store, dataset: DatasetReference) -> None:
    with pytest.raises(ValueError, match="Expected a split out of train"):
        read_split(store, dataset, "tests")


def test_the_embedded_set_must_be_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(EMBEDDED.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mnist.npz").write_bytes(content)
    monkeypatch.setattr(preprocessing, "EMBEDDED", tmp_path / "mnist.npz")
    with pytest.raises(DataError, match="expected the file with SHA-256 06af5dfe"):
        open_data(None)


def test_too_small_a_subset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected --images to leave at least 6 examples"):
        preprocess(Store(tmp_path), data=None, images=60, seed=1, key="dataset-small")
