"""A window that is left to the run is chosen once."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import MOST_OPEN, Settings
from mnist_models.time_budget.window import window_for
from tasks.window import fix_window


def test_it_grows_with_the_workers_within_bounds() -> None:
    assert [window_for(workers) for workers in (1, 2, 64, 256, 100_000)] == [4, 4, 128, 512, MOST_OPEN]


@pytest.mark.parametrize(("cluster", "told"), [("here", "tcp://host:8786"), ("tcp://host", "tcp://host:8786")])
def test_an_address_that_is_none_is_refused(cluster: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(cluster=cluster)
    assert Settings(cluster="tcp://host:1", cluster_resources="GPU=1,M=4e9").needed_resources == (
        ("GPU", 1),
        ("M", 4e9),
    )


def test_the_first_run_chooses_and_those_with_other_workers_follow(
    tmp_path: Path, server: str, dataset: DatasetReference
) -> None:
    @flow(name="windows")
    def windows(workers: int) -> list[int]:
        settings = Settings(store=tmp_path, workers=workers, window="auto")  # type: ignore[arg-type]  # as it is typed in
        again = settings.model_copy(update={"seed": 2})
        return [fix_window(each, dataset, "windows").window for each in (settings, again)]

    with temporary_settings({PREFECT_API_URL: server}):
        assert windows(8) == [16, 16]
        assert windows(2) == [16, 16]
        assert fix_window(Settings(store=tmp_path, window=7), dataset, "windows").window == 7
