"""Every write may fail or be cut short: the next run ends right."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.data import dataset as dataset_module
from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.files import DamagedFileError, write_atomic
from mnist_models.foundation.store import Store
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult, load_weights
from mnist_models.training.specification import TrainingSpec
from tests.sources.forms import Images, write_arrays

SPEC = TrainingSpec(
    network="fully_connected",
    hyperparameters={"hidden_layer_size": 8, "depth": 1, "dropout_rate": 0.2},
    epochs=3,
    patience=2,
)
FULL, BROKEN = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")


class PowerCut(BaseException):
    """The process ends here."""


class Faults:
    """Lets all file operations of the product pass but one, which fails before, in the middle or after its work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = 0
        self.fail_at = 0
        self.fault: BaseException = FULL
        self.when = "before"
        fdopen = os.fdopen

        def opened(descriptor: int, *arguments: Any, **options: Any) -> Any:
            file = fdopen(descriptor, *arguments, **options)
            if "w" not in str(arguments):
                return file
            return _File(file, self)

        monkeypatch.setattr(os, "fdopen", opened)
        monkeypatch.setattr(os, "fsync", self.wrap(os.fsync))
        monkeypatch.setattr(Path, "replace", self.wrap(Path.replace))
        monkeypatch.setattr(Path, "chmod", self.wrap(Path.chmod))

    def wrap(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            fails = self.count()
            if fails and self.when != "after":
                raise self.fault
            result = operation(*arguments, **options)
            if fails:
                raise self.fault
            return result

        return run

    def count(self) -> bool:
        self.seen += 1
        return self.seen == self.fail_at


class _File:
    """A file whose writing can be cut in the middle."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self.file, self.faults = file, faults

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *details: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> int:
        if self.faults.count():
            if self.faults.when != "before":
                self.file.write(data[: len(data) // 2])
                self.file.flush()
            raise self.faults.fault
        written: int = self.file.write(data)
        return written


def outcome(store: Store, result: TrainingResult) -> Any:
    weights = {name: array.tobytes() for name, array in load_weights(store, result).items()}
    return result.history, result.best_epoch, result.epochs, weights


def train(store: Store, dataset: DatasetReference) -> TrainingResult:
    return fit(SPEC, dataset, store.root, key="model-fault", checkpoint="checkpoints/fault.npz", keep_weights=True)


@pytest.mark.parametrize(
    ("fault", "when"),
    [
        pytest.param(FULL, "middle", id="full in the middle"),
        pytest.param(BROKEN, "before", id="broken before", marks=pytest.mark.slow),
        pytest.param(PowerCut(), "before", id="power cut before"),
        pytest.param(PowerCut(), "middle", id="power cut in the middle", marks=pytest.mark.slow),
        pytest.param(PowerCut(), "after", id="power cut after", marks=pytest.mark.slow),
    ],
)
def test_a_training_survives_a_fault_at_every_write(
    fault: BaseException, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = Store(tmp_path / "reference")
    data = preprocess(reference, data=None, images=600, seed=1, key="dataset-fault")
    expected = outcome(reference, train(reference, data))
    points = 0
    while True:
        points += 1
        store = Store(tmp_path / str(points))
        (store.root / "datasets").parent.mkdir()
        (store.root / "datasets").symlink_to(reference.root / "datasets")
        with monkeypatch.context() as patch:
            faults = Faults(patch)
            faults.fail_at, faults.fault, faults.when = points, fault, when
            if faults_strike(lambda store=store: train(store, data), type(fault)):  # type: ignore[misc]
                assert faults.seen >= points
            else:
                break
        assert outcome(store, train(store, data)) == expected, f"after a fault at write {points}"
    assert points > 4 * 4  # three checkpoints and the weights, of at least four operations each


def faults_strike(run: Callable[[], Any], kind: type[BaseException]) -> bool:
    try:
        run()
    except kind:
        return True
    return False


def test_preprocessing_survives_a_fault_at_every_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    parts = {"train": generator.integers(0, 256, (60, 4, 4, 1)), "test": generator.integers(0, 256, (12, 4, 4, 1))}
    data = Images({part: (x.astype(np.uint8), [str(n % 2) for n in range(len(x))]) for part, x in parts.items()})
    path = write_arrays(data, tmp_path / "own")

    def run(store: Store) -> DatasetReference:
        return preprocess(store, data=path, images=None, seed=1, key="dataset-fault")

    expected = run(Store(tmp_path / "reference"))
    for points in range(1, 1000):
        store = Store(tmp_path / str(points))
        with monkeypatch.context() as patch:
            faults = Faults(patch)
            faults.fail_at, faults.fault = points, PowerCut()
            if not faults_strike(lambda store=store: run(store), PowerCut):  # type: ignore[misc]
                break
        dataset_module._verified.clear()
        assert run(store) == expected
        assert len(read_split(store, expected, "train")) == expected.train
    assert points > 4 * 4


def test_every_byte_at_which_a_write_can_be_cut_is_seen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reference = store.write("file", b"0123456789")
    for length in range(10):
        (tmp_path / "file").write_bytes(b"0123456789"[:length])
        with pytest.raises(DamagedFileError):
            store.verify(reference)


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dead = max(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()) + 100_000
    (tmp_path / "weights").mkdir()
    gone = tmp_path / "weights" / f".model.npz.{dead}.abc.tmp"
    living = tmp_path / "weights" / f".model.npz.{os.getpid()}.abc.tmp"
    for path in (gone, living):
        path.touch()
    store.remove_leftovers()
    assert not gone.exists()
    assert living.exists()


def test_temporary_files_lie_where_they_are_renamed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store on a file system of its own can rename within it only."""
    folders = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        folders.append((self.parent, Path(target).parent))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_atomic(tmp_path / "deep" / "file", b"content")
    assert folders == [(tmp_path / "deep", tmp_path / "deep")]
