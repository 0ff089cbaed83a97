"""Arrays in an .npz: what is taken, and what is refused with which words."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.data.preprocessing import open_data, preprocess
from mnist_models.foundation.store import Store
from mnist_models.sources.source import DataError, Options


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
    "sizes": (good(x_test=np.zeros((20, 9, 8), dtype=np.uint8)), r"x_test of the training.*\(8, 8, 1\).*\(9, 8, 1\)"),
    "counts": (good(y_train=np.arange(59) % 5), "as many labels as images in x_train.*60 and 59"),
    "label dtype": (good(y_train=np.zeros(60)), "expected y_train of integers or words.*float64"),
    "negative label": (good(y_train=np.arange(60) % 5 - 1), "labels from 0.*from -1 to 3"),
    "test label": (good(y_test=np.full(20, 5)), r"test labels out of .*\(0, 1, 2, 3, 4\).*: 5\."),
    "few examples": (
        good(y_train=np.r_[np.zeros(57, int), 1, 1, 1], y_test=np.zeros(20, int)),
        "at least 6 training images.*class 1 with 3",
    ),
    "one class": (good(y_train=np.zeros(60, int), y_test=np.zeros(20, int)), "2 to 10,000 classes.*Received: 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    path = tmp_path / "bad.npz"
    np.savez(path, **content)
    with pytest.raises(DataError, match=rf"(?s)bad\.npz: .*{message}"):
        open_data(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: .*no such file"):
        open_data(tmp_path / "none.npz")


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    content = good()
    del content["y_test"]
    np.savez(tmp_path / "bad.npz", **content)
    with pytest.raises(DataError, match=r"bad\.npz: .*without y_test"):
        open_data(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", pickle.dumps({"x_train": 1})])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.npz: expected an \.npz file"):
        open_data(tmp_path / "bad.npz")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **good())
    (tmp_path / "bad.npz").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(DataError, match=r"bad\.npz: "):
        open_data(tmp_path / "bad.npz")


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
        open_data(tmp_path / "bad.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_transposed_set_is_turned(tmp_path: Path) -> None:
    plain, turned = good(), good()
    for part in ("train", "test"):
        turned[f"x_{part}"] = turned[f"x_{part}"].swapaxes(1, 2)
    np.savez(tmp_path / "plain.npz", **plain)
    np.savez(tmp_path / "turned.npz", **turned)  # in Fortran's order, as NumPy saves such views
    store = Store(tmp_path)
    records = [
        preprocess(store, data=tmp_path / name, images=None, seed=1, key="dataset", options=Options(transposed=turn))
        for name, turn in (("plain.npz", False), ("turned.npz", True))
    ]
    assert records[0].fingerprint == records[1].fingerprint
