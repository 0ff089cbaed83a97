"""The champion through real runs: first, refused, promoted, taken back; and a run made again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from mnist_models.champion.history import read_champion, read_history
from mnist_models.champion.record import Champion
from mnist_models.foundation.store import Store
from tests.conftest import TINY, Run

PIPELINE, ROLLBACK, REPRODUCE = "flows/full_pipeline.py", "running/rollback.py", "flows/reproduce.py"
First = tuple[Path, subprocess.CompletedProcess[str]]


def champion(store: Path) -> Champion:
    found = read_champion(Store(store))
    assert found is not None
    return found


def kinds(store: Path) -> list[str]:
    return [event.kind for event in read_history(Store(store))]


def outcome(store: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((store / "latest" / "promotion.json").read_text())
    return content


def test_the_first_run_makes_the_first_champion(first: First, server: str) -> None:
    store = Store(first[0])
    current = champion(first[0])
    assert kinds(first[0])[0] == "promoted"
    assert store.verify(current.model).read_bytes() == (first[0] / "latest/model.keras").read_bytes()
    metrics = json.loads((first[0] / "latest/metrics.json").read_text())
    assert current.figures.accuracy == metrics["final"]["ensemble"]["test_accuracy"]
    assert current.dataset_fingerprint == metrics["dataset_fingerprint"]
    assert current.card is not None
    assert "# mnist-" in store.verify(current.card).read_text()
    assert any("# Promoted" in text for text in artifacts(server))


def test_the_card_is_in_the_form_that_hubs_read(first: First) -> None:
    _, front, text = (first[0] / "latest/README.md").read_text().split("---\n", 2)
    content = yaml.safe_load(front)
    [result] = content["model-index"][0]["results"]
    metrics = json.loads((first[0] / "latest/metrics.json").read_text())
    assert result["metrics"][0]["value"] == pytest.approx(metrics["final"]["ensemble"]["test_accuracy"], abs=1e-4)
    assert result["dataset"]["revision"] == metrics["dataset_fingerprint"]
    assert {"license", "library_name", "pipeline_tag", "tags", "datasets"} <= set(content)
    for row in text.splitlines():
        if row.startswith("| ") and "---" not in row:
            assert row.endswith(" |"), row
    lineage = json.loads((first[0] / "latest/lineage.json").read_text())
    for word in (lineage["weights"], lineage["code_fingerprint"], lineage["command"], "Not meant for"):
        assert word in text
    assert not re.search(r"\{\{|\{%", text)


def test_refused_promoted_taken_back_and_refused_again(
    first: First, run_script: Run, server: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(first[0], store, symlinks=True)
    old = champion(store)
    another = (*TINY, "--final-seeds=3", "--store", str(store))  # one more training makes another model

    done = run_script(PIPELINE, *another, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert outcome(store)["outcome"] == "refused"
    assert "is not shown to be within 0.05 points" in outcome(store)["reason"]
    assert champion(store) == old
    assert outcome(store)["decision"]["with_champion"]["images"] == 100

    done = run_script(PIPELINE, *another, "--promotion-margin=60", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    new = champion(store)
    assert outcome(store)["outcome"] == "promoted"
    assert (new.previous, new.anchor) == (1, old.model)
    assert new.weights != old.weights
    assert "Promoted" in (store / "latest/report.html").read_text()

    done = run_script(ROLLBACK, "--store", str(store), PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert old.run in done.stdout
    assert champion(store) == old

    done = run_script(PIPELINE, *another, "--promotion-margin=60", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert outcome(store)["outcome"] == "refused"
    assert "it was taken back" in outcome(store)["reason"]
    assert champion(store) == old
    assert kinds(store) == ["promoted", "refused", "promoted", "rolled back", "refused"]

    seen = events(server)
    assert {f"mnist.champion.{step}" for step in ("promoted", "refused", "rolled-back")} <= seen
    assert any("# Rolled back" in text for text in artifacts(server))


def test_there_must_be_something_to_go_back_to(first: First, run_script: Run, tmp_path: Path) -> None:
    done = run_script(ROLLBACK, "--store", str(first[0]))
    assert done.returncode == 2
    assert "Expected an earlier champion to go back to, out of 1" in done.stderr
    assert run_script(ROLLBACK, "--store", str(tmp_path / "none")).returncode == 2
    done = run_script(ROLLBACK, "--store", str(first[0]), "--list")
    assert done.stdout.startswith("*   1  ") and "the first" in done.stdout


def test_a_run_is_reproduced_from_the_store(first: First, run_script: Run, server: str) -> None:
    done = run_script(REPRODUCE, str(first[0] / "latest"), "--store", str(first[0]), PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "weights: the same" in done.stderr and "the same to the bit" in done.stderr


@pytest.mark.slow
def test_another_model_is_not_taken_for_the_same(first: First, run_script: Run, server: str, tmp_path: Path) -> None:
    lineage = json.loads((first[0] / "latest/lineage.json").read_text())
    (tmp_path / "lineage.json").write_text(json.dumps({**lineage, "weights": "0" * 64}))
    done = run_script(REPRODUCE, str(tmp_path), "--store", str(first[0]), PREFECT_API_URL=server)
    assert done.returncode == 1, done.stderr
    assert f"weights: {'0' * 64} then" in done.stderr
    done = run_script(REPRODUCE, "nowhere")
    assert done.returncode == 2
    assert "Expected the folder of a run" in done.stderr


@pytest.mark.slow
def test_a_run_is_reproduced_from_nothing(first: First, run_script: Run, server: str) -> None:
    done = run_script(REPRODUCE, str(first[0] / "latest"), "--fresh", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "the same to the bit" in done.stderr


def artifacts(server: str) -> list[str]:
    """The texts of all artifacts that tell of the champion, whichever run or command made them."""
    chosen = {"artifacts": {"key": {"like_": "champion-"}}, "limit": 200}
    found = httpx.post(f"{server}/artifacts/filter", json=chosen).json()
    return [str(artifact["data"]) for artifact in found]


def events(server: str) -> set[str]:
    chosen = {"filter": {"event": {"prefix": ["mnist.champion."]}}, "limit": 50}
    return {event["event"] for event in httpx.post(f"{server}/events/filter", json=chosen).json()["events"]}
