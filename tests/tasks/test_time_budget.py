"""Plans as a task, on a real server with real workers: measured once, followed ever after."""

from __future__ import annotations

import logging
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
from tasks.caching import read_record
from tasks.progress import PROGRESS
from tasks.time_budget import Estimate

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
