"""Studies as Prefect tasks, on a real server with real workers: what becomes of trials that fail."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keras_tuner import HyperParameters
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.search import spaces
from mnist_models.search.decision import decide
from mnist_models.search.study import OracleSpec, Study
from mnist_models.search.trials import StudyResult
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks import tuning
from tasks.caching import TASK_RUNS
from tasks.training import TrainingFailedError, train_models
from tasks.tuning import StudyFailedError, run_study
from tasks.workers.interface import Workplace
from tasks.workers.started import start_workers

WORKERS = 1  # so that it is known whom a kill hits


@pytest.fixture(autouse=True)
def api(server: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server}):
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(profile="quick", images=600, store=tmp_path, workers=WORKERS)


@pytest.fixture
def data(tmp_path: Path) -> DatasetReference:
    return preprocess(Store(tmp_path), data=None, images=600, seed=1, key="dataset-tuning")


def study_of(rates: list[float], monkeypatch: pytest.MonkeyPatch, epochs: int = 2) -> Study:
    """A grid of learning rates of plain SGD; 1e6 is too much."""

    def space(hp: HyperParameters) -> None:
        hp.Choice("learning_rate", rates)

    monkeypatch.setattr(spaces, "example", space, raising=False)
    template = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 32, "depth": 2, "activation": "linear"},
        optimizer=Optimizer(name="sgd"),
        epochs=epochs,
    )
    return Study(name="example", space="example", oracle=OracleSpec(kind="grid", seed=1, window=1), template=template)


def run(study: Study, data: DatasetReference, settings: Settings) -> tuple[StudyResult, bool]:
    @flow(name="example")
    def example() -> tuple[StudyResult, bool]:
        return run_study(study, data, settings)

    return example()


def test_a_trial_whose_loss_is_not_finite_is_recorded(
    settings: Settings, data: DatasetReference, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    study = study_of([0.1, 1e6, 0.01], monkeypatch)
    with caplog.at_level(logging.WARNING):
        result, cached = run(study, data, settings)
    assert not cached
    assert [trial.failure for trial in result.trials] == [None, "the loss was not finite in epoch 1", None]
    assert result.best.number in (1, 3)
    assert "example  trial 2 failed: the loss was not finite in epoch 1" in caplog.text
    assert run(study, data, settings) == (result, True)


@pytest.mark.parametrize("told_first", [True, False])
def test_trials_are_found_again_whether_they_were_task_runs_or_not(
    told_first: bool, settings: Settings, data: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of([0.1, 0.01], monkeypatch, epochs=1)
    results: list[StudyResult] = []
    for told in (told_first, not told_first):
        monkeypatch.setattr(tuning, "MOST_TOLD", study.oracle.window if told else 0)
        Store(settings.store).remove(f"results/{study.key(data)}")
        before = len(TASK_RUNS)
        results.append(run(study, data, settings)[0])
        assert len(TASK_RUNS) - before == (3 if told else 1), "the study, and each trial that is told"
    assert results[0] == results[1], "with the seconds that the first took"


def test_results_of_trials_that_are_told_do_not_stay_in_memory(
    settings: Settings, data: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a study of thousands would hold them all: Prefect's transaction of a study keeps those of its trials."""
    alive: list[int] = []

    def decide_and_count(*arguments: Any) -> Any:
        gc.collect()
        alive.append(sum(isinstance(each, TrainingResult) for each in gc.get_objects()))
        return decide(*arguments)

    before = sum(isinstance(each, TrainingResult) for each in gc.get_objects())
    monkeypatch.setattr(tuning, "decide", decide_and_count)
    run(study_of([0.1, 0.05, 0.02, 0.01, 0.005, 0.002], monkeypatch, epochs=1), data, settings)
    assert alive[0] - before <= 2


def test_too_many_failures_end_a_study(
    settings: Settings, data: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudyFailedError, match="example: 2 of 3 trials failed, the last by the loss was not finite"):
        run(study_of([0.1, 1e6, 2e6], monkeypatch), data, settings)
    kept = list(Store(settings.store).results.glob("trial-*"))
    assert len(kept) == 3, "a trial's result is stored when the trial ends, whatever becomes of its study"


def test_a_model_that_fails_is_an_error(settings: Settings, data: DatasetReference) -> None:
    spec = TrainingSpec(
        network="fully_connected",
        hyperparameters={"hidden_layer_size": 32, "depth": 2, "activation": "linear"},
        optimizer=Optimizer(name="sgd", learning_rate=1e6),
        epochs=2,
    )

    @flow(name="example")
    def example() -> None:
        train_models({"example model": spec}, data, settings)

    with pytest.raises(TrainingFailedError, match="example model: the loss was not finite in epoch 1"):
        example()


def kill_first_trial(store: Path, times: int) -> threading.Thread:
    """Kills the worker after its next checkpoint, so many times."""

    def kill() -> None:
        seen = 0.0
        for _ in range(times):
            while (newest := max((p.stat().st_mtime for p in store.glob("checkpoints/*/*.npz")), default=0.0)) <= seen:
                time.sleep(0.01)
            seen = newest
            for pid in start_workers(Workplace(WORKERS)).processes():
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)  # until it is dead, and its last checkpoint old
            seen = max((p.stat().st_mtime for p in store.glob("checkpoints/*/*.npz")), default=seen)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("times", "told"), [pytest.param(2, True, marks=pytest.mark.slow), (3, True), (3, False)])
def test_a_trial_whose_worker_dies(
    times: int, told: bool, settings: Settings, data: DatasetReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "MOST_TOLD", 1 if told else 0)
    study = study_of([0.1, 0.01, 0.05], monkeypatch, epochs=50)
    kill_first_trial(settings.store, times)
    result, _ = run(study, data, settings)
    failures = [trial.failure for trial in result.trials]
    assert failures[1:] == [None, None]
    if times == 2:
        assert failures[0] is None
        assert run(study, data, settings) == (result, True)
    else:  # the third time is the last; a later run tries again
        assert failures[0] is not None
        assert "worker process died" in failures[0]
        again, cached = run(study, data, settings)
        assert not cached
        assert again.best
        assert [trial.failure for trial in again.trials] == [None] * 3
        assert again.trials[1:] == result.trials[1:]
