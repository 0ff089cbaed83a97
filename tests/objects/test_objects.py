"""Objects, leases and stores made of them, on a real server that refuses conditional writes."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from mnist_models.objects import lease
from mnist_models.objects.copies import make_room
from mnist_models.objects.interface import ConflictError
from mnist_models.objects.s3 import S3Objects
from mnist_models.training.checkpoint import Checkpoint
from tests.s3_server import KEY, SECRET, S3Server, s3_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def url(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    return f"s3://digits/{uuid.uuid4().hex[:8]}"


def elsewhere(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """The same store on a machine that has no copies."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / uuid.uuid4().hex))
    return Store(url)


def test_of_many_that_create_or_replace_an_object_one_does(url: str) -> None:
    objects = S3Objects(url)

    def outcome(data: bytes, over: str | None) -> str:
        try:
            return objects.put("one", data, over)
        except ConflictError:
            return "refused"

    with ThreadPoolExecutor(16) as threads:
        created = Counter(threads.map(lambda number: outcome(b"%d" % number, None), range(32)))
        first = objects.get("one")
        assert first
        replaced = Counter(threads.map(lambda number: outcome(b"r%d" % number, first.tag), range(32)))
    assert created == {"refused": 31, first.tag: 1}
    assert replaced["refused"] == 31
    latest = objects.get("one")
    assert latest and latest.data.startswith(b"r")
    assert objects.put("one", latest.data, None) == latest.tag, "writing what is there is no conflict"


def test_a_list_holds_what_lies_below_and_what_is_removed_is_gone(url: str) -> None:
    objects = S3Objects(url)
    for name in ("a/1", "a/b/2", "ab/3", "a4"):
        objects.put(name, name.encode(), None)
    assert dict(objects.sizes("a")) == {"a/1": 3, "a/b/2": 5}
    assert dict(objects.sizes("a4")) == {"a4": 2}
    objects.remove("a/1")
    objects.remove("a/1")
    assert objects.get("a/1") is None


def test_credentials_are_in_no_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-but-secret")
    with pytest.raises(OSError, match="Expected to read one in bucket digits. Received: PermissionDenied") as caught:
        S3Objects(url).get("one")
    assert caught.value.__suppress_context__, "or the library's words would be shown, too"
    told = f"{caught.value!r}{caught.value.__cause__!r}"
    assert not [word for word in (KEY, SECRET, "wrong-but-secret", "Signature") if word in told]


def test_a_lease_is_held_by_one_and_left_to_the_next(url: str) -> None:
    store, inside, most = Store(url), [0], [0]

    def hold(number: int) -> None:
        with store.lock("key", f"holder {number}", lambda other: None):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.1)
            inside[0] -= 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(hold, range(4)))
    assert most == [1]


def test_a_lease_of_a_dead_holder_is_taken_over_and_a_slow_one_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 2.0)
    monkeypatch.setattr(lease, "BEAT", 3600.0)  # it hangs
    store, waited = Store(url), list[str]()
    with pytest.raises(ConflictError, match="another took it over"):  # noqa: SIM117
        with store.lock("key", "the slow one", lambda other: None):
            with store.lock("key", "the next one", waited.append):
                pass
            assert set(waited) == {"the slow one"}
            monkeypatch.setattr(lease, "BEAT", 0.1)
            assert store.objects
            holder = lease._Lease(store.objects, "locks/key", "the slow one")
            holder.tag = "what it last wrote"
            holder.beat(threading.Event())
            assert holder.lost


def test_what_one_machine_writes_another_reads_once_and_believes_by_its_digest(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = Store(url)
    reference = here.write_array("datasets/x.npy", np.arange(1000))
    there = elsewhere(url, monkeypatch, tmp_path)
    assert not there.root.exists()
    there.holds(reference)
    assert not (there.root / reference.path).exists(), "to know that it is there is not to fetch it"
    path = there.verify(reference)
    assert np.array_equal(np.load(path), np.arange(1000))
    before = path.stat().st_mtime_ns
    assert there.verify(reference).stat().st_mtime_ns == before
    assert here.objects
    here.remove("datasets")
    with pytest.raises(DamagedFileError, match="no object of"):
        there.holds(reference)
    here.objects.put(reference.path, b"x" * reference.size, None)
    with pytest.raises(DamagedFileError, match="expected SHA-256"):
        elsewhere(url, monkeypatch, tmp_path).verify(reference)


def test_a_training_given_up_for_dead_cannot_undo_what_another_machine_did(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arrays = {"w": np.zeros(3)}

    def state(epoch: int) -> dict[str, object]:
        return {"epoch": epoch, "shares": None}

    slow = Checkpoint(Store(url), "checkpoints/a.npz")
    assert slow.read(["a"], 9, None) is None
    slow.write(["a"], arrays, state(1))
    other = Checkpoint(elsewhere(url, monkeypatch, tmp_path), "checkpoints/a.npz")
    found = other.read(["a"], 9, None)
    assert found and found[1]["epoch"] == 1
    other.write(["a"], arrays, state(2))
    other.write(["a"], arrays, state(3))
    with pytest.raises(ConflictError):
        slow.write(["a"], arrays, state(2))
    found = Checkpoint(elsewhere(url, monkeypatch, tmp_path), "checkpoints/a.npz").read(["a"], 9, None)
    assert found and found[1]["epoch"] == 3


def test_copies_keep_within_their_bound_and_the_latest_stay(url: str) -> None:
    store = Store(url)
    for number in range(10):
        store.write(f"weights/{number}", b"x" * 1000)
        time.sleep(0.01)
    make_room(5000)
    left = sorted(path.name for path in (store.root / "weights").iterdir())
    assert left == ["6", "7", "8", "9"]
    assert store.objects and len(list(store.objects.sizes("weights"))) == 10


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_is_waited_for(url: str, server: S3Server) -> None:
    store = Store(url)
    store.write("weights/a", b"before")
    server.stop()
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(store.write, "weights/b", b"meanwhile")
        time.sleep(3)
        assert not written.done()
        server.start()
        written.result(timeout=60)
    assert store.objects
    assert [found and found.data for found in map(store.objects.get, ("weights/a", "weights/b"))] == [
        b"before",
        b"meanwhile",
    ]
