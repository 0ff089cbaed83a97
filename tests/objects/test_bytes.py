"""What a training moves between a machine and the objects: the data set once, and little after that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation import store as stores
from mnist_models.foundation.store import Store
from mnist_models.objects.interface import Found, Objects
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tests.s3_server import S3Server, s3_server

URL = "s3://digits/bytes"


class Counting:
    """Objects that count what is read and written of them."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.moved = 0

    def get(self, name: str) -> Found | None:
        found = self._objects.get(name)
        self.moved += len(found.data) if found else 0
        return found

    def put(self, name: str, data: bytes, over: str | None) -> str:
        self.moved += len(data)
        return self._objects.put(name, data, over)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        return self._objects.sizes(prefix)

    def remove(self, name: str) -> None:
        self._objects.remove(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.mark.slow
def test_the_first_training_fetches_the_data_set_and_later_ones_move_little(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    dataset = preprocess(Store(URL), data=None, images=600, seed=1, key="dataset-bytes")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    objects = Store(URL).objects
    assert objects
    counting = Counting(objects)
    monkeypatch.setattr(stores, "open_objects", lambda url: counting)
    moved = []
    for seed in (1, 2, 3):
        spec = TrainingSpec(
            network="fully_connected", hyperparameters={"hidden_layer_size": 50, "depth": 2}, epochs=1, seed=seed
        )
        fit(spec, dataset, URL, key=f"trial-{seed}", checkpoint=f"checkpoints/{seed}.npz")
        moved.append(counting.moved - sum(moved))
    trained_on = dataset.files["x_train"].size + dataset.files["y_train"].size
    assert trained_on < moved[0] < trained_on + 1e6
    assert 1e5 < moved[1] < 1e6  # its checkpoint
    assert abs(moved[2] - moved[1]) < 100  # it names seconds, with more digits or fewer
