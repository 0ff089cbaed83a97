"""The champion's record and history: what they say, and that a kill at any moment leaves the old or the new."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_models.champion.history import (
    NoChampionError,
    champion_folder,
    promote,
    read_champion,
    read_history,
    refuse,
    rollback,
    taken_back,
)
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from tests.champion.examples import challenger
from tests.champion.killed import change
from tests.conftest import ROOT


@pytest.fixture
def two(tmp_path: Path) -> Store:
    """A store whose second champion is current."""
    store = Store(tmp_path / "store")
    promote(store, challenger(store, "first"), "the first")
    promote(store, challenger(store, "second"), "better")
    return store


def test_nobody_is_champion_of_an_empty_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert read_champion(store) is None
    assert read_history(store) == ()
    with pytest.raises(NoChampionError, match="none yet"):
        rollback(store)


def test_the_last_that_was_promoted_is_champion(two: Store) -> None:
    champion = read_champion(two)
    assert champion is not None
    assert two.verify(champion.model).read_bytes() == b"second"
    assert champion.previous == 1
    assert [(event.number, event.kind, event.run) for event in read_history(two)] == [
        (1, "promoted", "run first"),
        (2, "promoted", "run second"),
    ]


def test_the_champion_is_not_promoted_again(two: Store) -> None:
    assert promote(two, challenger(two, "second", run="later"), "again") == read_champion(two)
    assert len(read_history(two)) == 2


def test_a_refusal_is_noted_once_and_changes_nothing(two: Store) -> None:
    before = read_champion(two)
    for _ in range(2):
        refuse(two, challenger(two, "third"), "worse")
    assert read_champion(two) == before
    assert [event.kind for event in read_history(two)] == ["promoted", "promoted", "refused"]


def test_rollback_goes_back_and_further_back_and_forward_again(two: Store) -> None:
    promote(two, challenger(two, "third"), "better still")
    assert rollback(two).run == "run second"
    assert rollback(two).run == "run first"
    with pytest.raises(NoChampionError, match="out of 1, 2, 3"):
        rollback(two)
    assert rollback(two, to=3).run == "run third"
    assert rollback(two).run == "run second"
    assert [event.kind for event in read_history(two)] == ["promoted"] * 3 + ["rolled back"] * 4


def test_what_was_taken_back_is_known(two: Store) -> None:
    second = challenger(two, "second").weights
    assert taken_back(read_history(two), second) is None
    rollback(two)
    assert taken_back(read_history(two), second) == read_history(two)[-1]
    promote(two, challenger(two, "third"), "better")
    rollback(two, to=2)
    assert taken_back(read_history(two), second) == read_history(two)[2]


def test_a_rollback_to_a_lost_model_is_refused(two: Store) -> None:
    (two.root / "weights/first.keras").write_bytes(b"other")
    with pytest.raises(DamagedFileError, match=r"first\.keras"):
        rollback(two)
    assert read_champion(two) == read_history(two)[-1].champion


def test_an_altered_champion_is_not_believed_and_written_anew_by_the_next_change(two: Store) -> None:
    path = champion_folder(two) / "current.json"
    path.write_text(path.read_text().replace("run second", "run other"))
    with pytest.raises(DamagedFileError, match="altered"):
        read_champion(two)
    refuse(two, challenger(two, "third"), "worse")
    champion = read_champion(two)
    assert champion is not None and champion.run == "run second"


def test_champions_of_other_names_lie_beside(two: Store) -> None:
    promote(two, challenger(two, "letters", classes=26), "the first", name="letters")
    mine, other = read_champion(two), read_champion(two, "letters")
    assert mine is not None and mine.run == "run second"
    assert other is not None and other.classes == 26
    assert len(read_history(two)) == 2


@pytest.mark.parametrize(("action", "new"), [("promote", "run new"), ("rollback", "run first")])
def test_a_kill_before_any_step_on_the_disk_leaves_old_or_new(two: Store, action: str, new: str) -> None:
    command = [sys.executable, "-m", "tests.champion.killed", str(two.root), action]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout
    *killed, last = (int(line) for line in printed.split())
    assert set(killed) == {-signal.SIGKILL}
    assert last == 0
    left = []
    for step in range(len(killed)):
        copy = Store(two.root.with_name(f"store-{step}"))
        assert_whole(copy)
        champion = read_champion(copy)
        assert champion is not None and copy.verify(champion.model)
        left.append(champion.run)
        change(copy, action)  # the same command again completes it, or finds it done
        assert_whole(copy)
    assert set(left) == {"run second", new}  # some kills came too early, some too late
    assert left == sorted(left, key=lambda run: run == new)


def test_kills_at_random_moments_leave_a_whole_history(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    draw = random.Random(1)
    loop = (
        "import itertools, sys; from pathlib import Path\n"
        "from mnist_models.champion.history import promote, rollback\n"
        "from mnist_models.foundation.store import Store; from tests.champion.examples import challenger\n"
        "store = Store(Path(sys.argv[1])); print('ready', flush=True)\n"
        "for n in itertools.count(int(sys.argv[2])):\n"
        "    promote(store, challenger(store, str(n)), 'better')\n"
        "    if n % 3 == 2: rollback(store)\n"
    )
    events = 0
    for attempt in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", loop, str(store.root), str(1000 * attempt)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.02, 0.25))
        process.kill()
        process.wait()
        assert_whole(store)
        assert len(read_history(store)) >= events
        events = len(read_history(store))
    assert events > 6


def assert_whole(store: Store) -> None:
    """The history is sound and without a gap, and the champion is of its last or last but one state."""
    events = read_history(store)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert read_champion(store) in [event.champion for event in events[-2:]] or not events[1:]
