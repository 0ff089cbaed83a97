from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mnist_models.foundation.files import DamagedFileError, pack, unpack, write_atomic
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Store

FLOATS = arrays(np.float32, array_shapes(max_dims=3), elements=st.floats(width=32, allow_nan=False))


@given(st.dictionaries(st.text("abc/123", min_size=1), FLOATS), st.dictionaries(st.text(), st.integers()))
def test_what_was_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, np.ndarray], state: dict[str, int]
) -> None:
    path = tmp_path_factory.mktemp("pack") / "file"
    path.write_bytes(pack(members, state))
    read, read_state = unpack(path)
    assert read_state == state
    assert set(read) == set(members)
    assert all(np.array_equal(read[name], array) for name, array in members.items())


def test_equal_content_gives_equal_bytes() -> None:
    assert pack({"a": np.arange(3)}, {"x": 1}) == pack({"a": np.arange(3)}, {"x": 1})


@given(st.data())
def test_damage_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("pack") / "file"
    content = bytearray(pack({"a": np.arange(20)}, {"epoch": 3}))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="file"):
        unpack(path)


def test_a_reference_is_verified(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reference = store.write("folder/file", b"content")
    assert store.verify(reference).read_bytes() == b"content"
    for content, reason in ((b"contenu", "SHA-256"), (b"conten", "expected 7 bytes"), (b"", "found 0")):
        (tmp_path / "folder/file").write_bytes(content)
        with pytest.raises(DamagedFileError, match=reason):
            store.verify(reference)
    store.remove("folder/file")
    with pytest.raises(DamagedFileError, match="missing"):
        store.verify(reference)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Expected a writable folder for --store"):
        Store(tmp_path / "file" / "store").check_writable()


class Example(SealedRecord):
    value: float
    file: FileReference | None = None


def test_an_altered_record_is_refused() -> None:
    text = Example(key="k", value=0.25).model_dump_json()
    assert Example.model_validate_json(text).value == 0.25
    with pytest.raises(ValueError, match="altered"):
        Example.model_validate_json(text.replace("0.25", "0.26"))
    with pytest.raises(ValueError, match="altered"):
        Example.model_validate_json(text.replace('"k"', '"j"'))
