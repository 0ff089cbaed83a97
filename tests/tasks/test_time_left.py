"""Time left: the rest of a plan played through, and what recorded runs said of themselves at each moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.speed.time_left import FACTOR, estimates
from mnist_models.foundation.settings import Settings
from tasks.progress import END_SECONDS, Progress
from tasks.time_left import Rest, ends

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.json"))


def test_trainings_share_the_workers() -> None:
    assert ends([Rest("grid", trials=[2.0] * 6, window=4)], workers=2) == {"grid": 6.0}
    assert ends([Rest("grid", trials=[2.0] * 6, window=1)], workers=2) == {"grid": 12.0}


def test_what_is_under_way_is_not_begun_again() -> None:
    assert ends([Rest("grid", running_trials=[1.0, 3.0], trials=[2.0], window=4)], workers=2) == {"grid": 3.0}


def test_a_winner_waits_for_its_study_and_leaves_the_other_worker_free() -> None:
    stages = [Rest("first", trials=[1.0], models=[5.0], window=4), Rest("second", trials=[2.0, 2.0], window=4)]
    assert ends(stages, workers=2) == {"first": 6.0, "second": 4.0}


def test_a_stage_waits_for_the_study_it_goes_on_from_and_the_last_for_all() -> None:
    stages = [
        Rest("final", models=[3.0, 3.0], last=True),
        Rest("architecture", trials=[4.0], models=[10.0], window=4),
        Rest("augmentation", trials=[1.0], window=4, after="architecture"),
    ]
    assert ends(stages, workers=2) == {"final": 17.0, "architecture": 14.0, "augmentation": 5.0}


def test_nothing_left_takes_no_time() -> None:
    assert ends([], workers=2) == {}
    assert ends([Rest("done")], workers=2) == {"done": 0.0}


def test_estimates_follow_what_is_measured_and_what_is_dropped() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.plan("grid", "dense", {f"trial {number}": 1.0 for number in range(1, 41)}, window=4)
    progress.plan("grid", "dense", {"winner": 1.0})
    progress.begin("grid", "trial 1")
    assert progress.time_left()[0]["grid"] == pytest.approx(41.0)
    for number in range(1, 11):  # each takes three times as long as expected
        progress.begin("grid", f"trial {number}")
        now[0] += 3.0
        progress.end("grid", f"trial {number}", 0.5)
    assert 2.5 * 30 < progress.time_left()[0]["grid"] < 3.1 * 31
    progress.drop("grid", trials_only=True)
    assert 0 < progress.time_left()[0]["grid"] < 3.5
    progress.drop("grid")
    assert progress.stages["grid"].done
    assert progress.time_left() == ({"grid": 0.0}, END_SECONDS)


def test_what_comes_from_the_store_says_nothing_of_the_rest() -> None:
    progress = Progress(lambda: 0.0)
    progress.plan("grid", "dense", {f"trial {number}": 1.0 for number in range(1, 5)}, window=1)
    progress.begin("grid", "trial 1")
    progress.end("grid", "trial 2", 0.25)
    progress.end("grid", "trial 2", 0.25)
    assert progress.stages["grid"].best == 0.25
    assert progress.time_left()[0]["grid"] == pytest.approx(3.0)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_run_knows_how_long_it_will_take_from_a_tenth_of_the_way_on(path: Path) -> None:
    checked = [entry for entry in estimates(json.loads(path.read_text())) if entry[0] >= 0.1 and entry[2] > END_SECONDS]
    assert len(checked) > 50
    wrong = [entry for entry in checked if not 1 / FACTOR <= entry[1] / entry[2] <= FACTOR]
    assert not wrong


def test_quick_and_standard_are_recorded() -> None:
    assert {path.stem for path in RECORDINGS} == {"quick", "standard"}
    assert {Settings(profile=path.stem).profile for path in RECORDINGS} == {"quick", "standard"}
