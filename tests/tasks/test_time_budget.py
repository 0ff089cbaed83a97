"""Plans as a task, on a real server with real workers: measured once, followed ever after."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.beginning import begin
from flows.candidates import plan_candidates
from flows.fully_connected import plan_grid
from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.time_budget.fitting import fit_budgets
from mnist_models.time_budget.plan import TimePlan
from mnist_models.training.result import TrainingResult
from tasks.caching import read_record
from tasks.progress import PROGRESS
from tasks.time_budget import Estimate
from tests.conftest import ROOT

MINUTES = 60.0  # more than any machine needs


@pytest.fixture(autouse=True)
def api(server: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server}):
        yield


@pytest.fixture
def asked(tmp_path: Path) -> Settings:
    return Settings(profile="quick", images=600, store=tmp_path, workers=1, minutes=MINUTES)


@pytest.fixture
def data(asked: Settings) -> DatasetReference:
    return preprocess(Store(asked.store), data=None, images=600, seed=1, key="dataset-minutes")


def plan(settings: Settings, data: DatasetReference, stage: str = "full_pipeline") -> Settings:
    @flow(name="example")
    def example() -> Settings:
        return begin(settings, data, stage, plan_grid if stage == "fully_connected_grid" else plan_candidates)[0]

    return example()


def stored(settings: Settings) -> list[TimePlan]:
    paths = Store(settings.store).results.glob("plan-*")
    records = [read_record(path.read_bytes(), path.name) for path in paths]
    return [record for record in records if isinstance(record, TimePlan)]


def test_the_first_plan_is_followed_by_any_number_of_workers(
    asked: Settings, data: DatasetReference, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        first = plan(asked, data)
    assert "plan  60 minutes for 1 worker: searches of" in caplog.text
    [kept] = stored(asked)
    assert first == kept.apply(asked)
    assert first.minutes is None
    assert set(kept.costs.image) == set(kept.costs.new) == {"fully_connected", "cnn", "residual"}
    assert min(kept.costs.image.values()) > 0
    assert kept.costs == PROGRESS.costs
    for workers in (2, 3):
        more = asked.model_copy(update={"workers": workers})
        estimate = Estimate(plan_candidates, data, kept.costs)
        assert fit_budgets(more, 60 * MINUTES, estimate.seconds).budgets != kept.budgets, "it would be another plan"
        assert plan(more, data) == first.model_copy(update={"workers": workers})
    assert "as planned by an earlier run" in caplog.text
    assert stored(asked) == [kept]


def test_what_is_asked_for_decides_which_plan_is_followed(asked: Settings, data: DatasetReference) -> None:
    alone = plan(asked, data, "fully_connected_grid")
    [kept] = stored(asked)
    assert set(kept.costs.image) == {"fully_connected"}, "what will not be trained is not measured"
    longer = plan(asked.model_copy(update={"minutes": 2 * MINUTES}), data, "fully_connected_grid")
    by_hand = plan(asked.model_copy(update={"grid_trials": 7}), data, "fully_connected_grid")
    assert by_hand.grid_trials == 7
    assert longer.grid_epochs >= alone.grid_epochs
    assert len(stored(asked)) == 3


def test_settings_without_minutes_need_no_plan(asked: Settings, data: DatasetReference) -> None:
    without = asked.model_copy(update={"minutes": None})
    assert plan(without, data) == without
    assert stored(asked) == []


def test_too_few_minutes_are_refused_in_one_line(tmp_path: Path, server: str) -> None:
    script = [sys.executable, str(ROOT / "flows/fully_connected.py"), "fully_connected_grid"]
    asked = ["--profile=quick", "--images=600", "--minutes=0.02", "--store", str(tmp_path / "store")]
    done = subprocess.run(
        [*script, *asked], env=environment(tmp_path, server), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Expected at least") == 1
    assert re.match("fully_connected.py: Expected at least [0-9.]+ minutes", done.stderr.splitlines()[-1])


@pytest.mark.slow
def test_a_killed_run_is_resumed_by_its_plan_however_fast_and_with_any_workers(tmp_path: Path, server: str) -> None:
    """Killed in mid-search and gone on with by others, it ends as one that was given the plan and not killed."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(command(killed, workers=1), env=environment(tmp_path, server), start_new_session=True)
    deadline = time.monotonic() + 300
    while len(list(killed.glob("results/trial-*"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    [plan] = killed.glob("results/plan-*")
    (whole / "results").mkdir(parents=True)
    shutil.copy(plan, whole / "results")
    for store, workers in ((killed, 3), (whole, 2)):
        done = subprocess.run(
            command(store, workers), env=environment(tmp_path, server), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "as planned by an earlier run" in done.stderr
    assert results(killed) == results(whole)
    [kept] = whole.glob("results/plan-*")
    assert kept.read_bytes() == plan.read_bytes()


def command(store: Path, workers: int) -> list[str]:
    """A search that has half an hour and takes seconds: what would take longer is set by hand."""
    arguments = ["--profile=quick", "--images=600", "--minutes=30", "--grid-trials=9", "--retraining-epochs=3"]
    script = [sys.executable, str(ROOT / "flows/fully_connected.py"), "fully_connected_grid"]
    return [*script, *arguments, f"--workers={workers}", "--store", str(store)]


def environment(home: Path, server: str) -> dict[str, str]:
    return {**os.environ, "PREFECT_API_URL": server, "PREFECT_HOME": str(home / "prefect"), "PYTHONPATH": str(ROOT)}


def results(store: Path) -> dict[str, float | None]:
    """The validation loss of every training in a store, by the digest of what was trained."""
    paths = [*store.glob("results/trial-*"), *store.glob("results/finalist-*"), *store.glob("results/model-*")]
    records = {path.name: read_record(path.read_bytes(), path.name) for path in paths}
    return {name: record.metric("val_loss") for name, record in records.items() if isinstance(record, TrainingResult)}
