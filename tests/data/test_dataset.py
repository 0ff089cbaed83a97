from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist_models.data import preprocessing
from mnist_models.data.dataset import DatasetReference, read_split, scale
from mnist_models.data.preprocessing import EMBEDDED, load, preprocess
from mnist_models.data.source import DataError
from mnist_models.data.split import stratified_counts, stratified_split
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store


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


def test_mnist_is_split_50_10_10(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reference = preprocess(store, data=None, images=None, seed=1, key="dataset-all")
    assert (reference.train, reference.validation, reference.test) == (50_000, 10_000, 10_000)
    assert (reference.image_shape, reference.classes) == ((28, 28, 1), 10)
    source = load(EMBEDDED)
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


def good(**changes: Any) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (60, 8, 8), dtype=np.uint8),
        "y_train": np.arange(60, dtype=np.uint8) % 5,
        "x_test": generator.integers(0, 256, (20, 8, 8), dtype=np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 5,
    } | changes


@pytest.mark.parametrize("shape", [(60, 8, 8), (60, 9, 7, 1), (60, 12, 12, 3)])
def test_other_data_sets_are_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.zeros(shape, dtype=np.uint8)
    np.savez(tmp_path / "own.npz", **good(x_train=images, x_test=images[:20]))
    reference = preprocess(Store(tmp_path), data=tmp_path / "own.npz", images=None, seed=1, key="dataset-own")
    assert (reference.train, reference.validation, reference.test, reference.classes) == (50, 10, 20, 5)
    assert reference.image_shape == (*shape[1:], 1)[:3]


BAD: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "dtype": (good(x_train=np.zeros((60, 8, 8), dtype=np.float32)), "expected x_train of dtype uint8.*float32"),
    "rank": (good(x_train=np.zeros((60, 64), dtype=np.uint8)), r"expected x_train of shape.*\(60, 64\)"),
    "channels": (good(x_test=np.zeros((20, 8, 8, 2), dtype=np.uint8)), r"expected x_test of shape.*\(20, 8, 8, 2\)"),
    "empty": (good(x_test=np.zeros((0, 8, 8), np.uint8), y_test=np.zeros(0, int)), "as many labels.*0 and 0"),
    "sizes": (good(x_test=np.zeros((20, 9, 8), dtype=np.uint8)), r"test images.*\(8, 8\).*\(9, 8\)"),
    "counts": (good(y_train=np.arange(59) % 5), "as many labels as images in x_train.*60 and 59"),
    "label dtype": (good(y_train=np.zeros(60)), "expected y_train of integers.*float64"),
    "negative label": (good(y_train=np.arange(60) % 5 - 1), "labels from 0.*from -1 to 3"),
    "huge label": (good(y_train=np.full(60, 10**9)), "labels from 0.*1000000000"),
    "test label": (good(y_test=np.full(20, 5)), "test labels from 0 to 4.*from 5 to 5"),
    "few examples": (
        good(y_train=np.r_[np.zeros(57, int), 1, 1, 1], y_test=np.zeros(20, int)),
        "at least 6 training images.*class 1 with 3",
    ),
    "one class": (good(y_train=np.zeros(60, int), y_test=np.zeros(20, int)), "at least 2 classes.*Received: 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    path = tmp_path / "bad.npz"
    np.savez(path, **content)
    with pytest.raises(DataError, match=rf"(?s)bad\.npz: .*{message}"):
        load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: .*no such file"):
        load(tmp_path / "none.npz")


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    content = good()
    del content["y_test"]
    np.savez(tmp_path / "bad.npz", **content)
    with pytest.raises(DataError, match=r"bad\.npz: .*without y_test"):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", pickle.dumps({"x_train": 1})])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.npz: expected an \.npz file"):
        load(tmp_path / "bad.npz")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **good())
    (tmp_path / "bad.npz").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(DataError, match=r"bad\.npz: "):
        load(tmp_path / "bad.npz")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickled_content_is_never_loaded(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(tmp_path / "bad.npz", **good(y_test=trap))
    with pytest.raises(DataError, match="expected y_test to be a plain array"):
        load(tmp_path / "bad.npz")
    assert not (tmp_path / "sprung").exists()


def test_the_embedded_set_must_have_its_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = load(EMBEDDED)
    changed = arrays["x_test"].copy()
    changed[0, 0, 0] ^= 1
    np.savez(tmp_path / "mnist.npz", **{**arrays, "x_test": changed})
    monkeypatch.setattr(preprocessing, "EMBEDDED", tmp_path / "mnist.npz")
    with pytest.raises(DataError, match="expected x_test with SHA-256 6d87418d"):
        load(preprocessing.EMBEDDED)


def test_too_small_a_subset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected --images to leave at least 6 examples"):
        preprocess(Store(tmp_path), data=None, images=60, seed=1, key="dataset-small")
