"""Records that were damaged are computed again; those that were not are believed."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect.results import ResultRecord, ResultRecordMetadata
from prefect.serializers import JSONSerializer, PickleSerializer

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import digest
from mnist_models.foundation.store import Store
from mnist_models.search.trials import StudyResult
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks.caching import SERIALIZER, discard_damaged, read_record


def write(store: Store, key: str, result: Any, serializer: Any = SERIALIZER) -> Path:
    """Writes a record as Prefect does."""
    path = store.results / key
    metadata = ResultRecordMetadata(storage_key=str(path), serializer=serializer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ResultRecord(metadata=metadata, result=result).serialize())
    return path


@pytest.fixture
def trained(store: Store, dataset: DatasetReference) -> tuple[TrainingResult, Path]:
    spec = TrainingSpec(network="fully_connected", hyperparameters={"hidden_layer_size": 8, "depth": 1}, epochs=1)
    result = fit(spec, dataset, store.root, key="model-trained", keep_weights=True)
    return result, write(store, result.key, result)


def test_a_sound_record_stays(store: Store, trained: tuple[TrainingResult, Path]) -> None:
    discard_damaged(store, "model-trained")
    assert trained[1].exists()


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_changed_figure_is_never_believed(
    data: st.DataObject, store: Store, trained: tuple[TrainingResult, Path]
) -> None:
    result, path = trained
    content = bytearray(write(store, result.key, result).read_bytes())
    start = content.index(b'"result":')
    place = data.draw(st.integers(start, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    discard_damaged(store, result.key)
    if path.exists():  # the flip changed nothing that counts, such as white space
        inner = json.loads(json.loads(content)["result"])
        assert TrainingResult.model_validate(inner["data"]) == result


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'{"metadata": {}}', b"\x80\x04"])
def test_what_is_no_record_is_removed(
    content: bytes, store: Store, trained: tuple[TrainingResult, Path], caplog: pytest.LogCaptureFixture
) -> None:
    trained[1].write_bytes(content)
    with caplog.at_level(logging.WARNING):
        discard_damaged(store, "model-trained")
    assert not trained[1].exists()
    assert str(trained[1]) in caplog.text


def test_a_record_under_another_name_is_removed(store: Store, trained: tuple[TrainingResult, Path]) -> None:
    swapped = store.results / "model-other"
    swapped.write_bytes(trained[1].read_bytes())
    discard_damaged(store, "model-other")
    assert not swapped.exists()


def test_a_record_of_another_kind_is_removed(store: Store) -> None:
    path = write(store, "study-x", StudyResult(key="study-x", name="x", trials=()))
    discard_damaged(store, "study-x")
    assert path.exists()
    content = path.read_bytes()
    assert b"mnist_models" not in content.partition(b'"result":')[2]  # modules may move
    for other in (b"FinalResult", b"Popen"):
        path.write_bytes(content.replace(b"StudyResult", other))
        discard_damaged(store, "study-x")
        assert not path.exists()


def test_a_record_that_says_how_it_is_decoded_is_removed(store: Store, trained: tuple[TrainingResult, Path]) -> None:
    result, path = trained
    assert read_record(path.read_bytes(), result.key) == result
    write(store, result.key, result, JSONSerializer(object_decoder="builtins.print"))
    discard_damaged(store, result.key)
    assert not path.exists()


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_a_record_of_damaged_weights_is_removed(
    damage: str, store: Store, trained: tuple[TrainingResult, Path], caplog: pytest.LogCaptureFixture
) -> None:
    result, path = trained
    assert result.weights
    weights = store.root / result.weights.path
    content = bytearray(weights.read_bytes())
    if damage == "missing":
        weights.unlink()
    else:
        content[-1] ^= 1
        weights.write_bytes(content if damage == "flipped" else content[:-1])
    with caplog.at_level(logging.WARNING):
        discard_damaged(store, result.key)
    assert not path.exists()
    assert str(weights) in caplog.text


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickled_record_is_never_unpickled(store: Store, tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(Trap(tmp_path / "works"))) is None
    assert (tmp_path / "works").exists()
    path = write(store, "model-trap", Trap(tmp_path / "sprung"), PickleSerializer())
    discard_damaged(store, "model-trap")
    assert not path.exists()
    assert not (tmp_path / "sprung").exists()


def test_keys_are_stable_text() -> None:
    assert digest({"b": 1, "a": [1.5, None]}) == digest({"a": [1.5, None], "b": 1})
