"""What prefect.yaml says is what a server takes: entrypoints import, parameters fit, twice is as once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deployments.setup import read_deployments
from mnist_models.foundation.settings import Settings
from mnist_models.inference.request import Request
from mnist_models.search.trials import StudyResult, Trial
from running.recorder import IN_BATCHES
from tasks.artifacts import MOST_TRIALS, leaderboard
from tests.conftest import ROOT

DEPLOYMENTS = {entry["name"]: entry for entry in read_deployments()}


TAKEN: dict[str, type[Settings | Request]] = {"settings": Settings, "request": Request}


def flow_of(entry: dict[str, Any]) -> Any:
    path, _, name = entry["entrypoint"].partition(":")
    return getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)


def test_the_pipeline_and_every_study_are_deployed() -> None:
    stages = {
        "fully_connected_grid",
        "fully_connected_hyperband",
        "cnn_bayesian",
        "cnn_augmentation",
        "cnn_learning_rate",
    }
    assert set(DEPLOYMENTS) == {"nightly", "weekly", "monthly", "answers"} | stages


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_fits_its_flow(name: str) -> None:
    entry = DEPLOYMENTS[name]
    [(kind, parameters)] = entry["parameters"].items()
    assert flow_of(entry).validate_parameters(entry["parameters"])[kind] == TAKEN[kind](**parameters)
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert all(schedule["active"] is False for schedule in entry.get("schedules", []))
    assert entry["work_pool"]["name"] == "mnist"


def test_profiles_by_schedule() -> None:
    profiles = {
        name: DEPLOYMENTS[name]["parameters"]["settings"]["profile"] for name in ("nightly", "weekly", "monthly")
    }
    assert profiles == {"nightly": "quick", "weekly": "standard", "monthly": "full"}


def test_the_form_sends_no_default_that_would_overrule_the_profile() -> None:
    properties = Settings.model_json_schema()["properties"]
    assert [name for name, field in properties.items() if "default" in field] == ["profile"]
    assert all(field["description"] for field in properties.values())


def test_deploying_twice_changes_nothing_and_what_is_on_stays_on(server: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_API_URL": server, "PREFECT_HOME": str(tmp_path)}

    def run(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def deployed() -> dict[str, Any]:
        found = httpx.post(f"{server}/deployments/filter", json={}).json()
        return {
            entry["name"]: (entry["id"], [(each["id"], each["active"]) for each in entry["schedules"]])
            for entry in found
            if entry["global_concurrency_limit"]["limit"] == 1
        }

    run("deployments/setup.py", "nightly")
    first = deployed()
    assert set(first) == set(DEPLOYMENTS)
    assert [name for name, (_, schedules) in first.items() for _, active in schedules if active] == ["nightly"]
    automations = httpx.post(f"{server}/automations/filter", json={}).json()
    run("deployments/setup.py")
    assert deployed() == first
    # not even the identities of their triggers: the server would forget which runs it watches
    assert httpx.post(f"{server}/automations/filter", json={}).json() == automations
    assert sorted(each["name"] for each in automations) == ["Failures are noted", "Silent runs are crashed"]
    for each in automations:  # other tests kill runs on this server, and look at their states
        httpx.delete(f"{server}/automations/{each['id']}")
    for identity, _ in first.values():  # with the runs that were scheduled
        httpx.delete(f"{server}/deployments/{identity}")


def test_compose_has_health_checks_volumes_and_no_default_password() -> None:
    text = (ROOT / "deployments/compose.yaml").read_text()
    content = yaml.safe_load(text)
    for name in ("postgres", "server", "worker", "model"):
        assert content["services"][name]["healthcheck"]["test"], name
    assert set(content["volumes"]) == {"database", "store"}
    assert content["services"]["server"]["ports"] == ["127.0.0.1:4200:4200"]
    assert content["services"]["model"]["ports"] == ["127.0.0.1:8000:8000"]
    assert {name: str(content["services"]["server"]["environment"].get(name)) for name in IN_BATCHES} == IN_BATCHES
    secrets = re.findall(r"\$\{(\w+)(:\?)?", text)
    assert {name for name, required in secrets if required} == {name for name, _ in secrets}  # up is refused without
    assert ":-" not in text


def test_a_leaderboard_has_the_best_first_and_failures_last() -> None:
    losses = [0.5, None, 0.1]
    trials = tuple(
        Trial(
            number=number, parent=None, values={"depth": number}, epochs=1, best_epoch=1, val_loss=loss,
            val_accuracy=None if loss is None else 1 - loss, train_accuracy=None, seconds=1.0,
            failure="loss was not finite" if loss is None else None,
        )
        for number, loss in enumerate(losses, start=1)
    )  # fmt: skip
    rows = leaderboard(StudyResult(key="study-1", name="s", trials=trials).trials)
    assert [row["trial"] for row in rows] == ["3", "1", "2"]
    assert rows[0] | {"val_loss": "0.1000", "depth": "3", "failure": ""} == rows[0]
    assert rows[2]["failure"] == "loss was not finite"


def test_a_leaderboard_of_thousands_shows_the_best() -> None:
    """Prefect's server refuses to tell of a table of some megabytes."""
    one = Trial(
        number=1, parent=None, values={}, epochs=1, best_epoch=1, val_loss=0.0, val_accuracy=1.0, train_accuracy=None,
        seconds=1.0, failure=None,
    )  # fmt: skip
    trials = [one.model_copy(update={"number": n, "val_loss": 10_000.0 - n}) for n in range(1, MOST_TRIALS + 100)]
    rows = leaderboard(trials)
    assert [row["trial"] for row in rows] == [str(n) for n in range(MOST_TRIALS + 99, 99, -1)]


@pytest.mark.parametrize("file", ["cluster.yaml", "kubernetes.yaml"])
def test_what_a_cluster_is_started_with_is_what_dask_takes(file: str) -> None:
    """Each command's options, in whatever depth of the file, are those of this version's `dask`."""

    def commands(value: Any) -> list[list[str]]:
        if isinstance(value, dict):
            return [found for each in value.values() for found in commands(each)]
        if isinstance(value, list):
            return [value] if value[:1] == ["dask"] else [found for each in value for found in commands(each)]
        return []

    found = commands(yaml.safe_load((ROOT / "deployments" / file).read_text()))
    assert {command[1] for command in found} == {"scheduler", "worker"}
    for _, kind, *options in found:
        module = import_module(f"distributed.cli.dask_{kind}")
        known = {option for parameter in module.main.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {option for option in options if option.startswith("--")} <= known
