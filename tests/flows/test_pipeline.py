"""The whole pipeline, as a user runs it: real processes, a real Prefect server, few digits."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from tests.conftest import ROOT, TINY, Run
from tests.sources.forms import Images, write_csv, write_pictures

STAGES = [
    "fully_connected_baseline", "fully_connected_grid", "fully_connected_hyperband", "cnn_baseline", "cnn_bayesian",
    "cnn_augmentation", "cnn_learning_rate", "residual_recipe",
]  # fmt: skip
PIPELINE = "flows/full_pipeline.py"


def metrics(store: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((store / "latest" / "metrics.json").read_text())
    return content


def timeless(content: dict[str, Any]) -> dict[str, Any]:
    """Metrics without what may differ between two runs: times, and what came from the cache."""
    stages = [{k: v for k, v in stage.items() if k not in ("seconds", "cached")} for stage in content["stages"]]
    return {**content, "stages": stages, "seconds": None}


def computed(store: Path) -> set[str]:
    """The stages that the last run did not take from the cache."""
    return {stage["name"] for stage in metrics(store)["stages"] if not stage["cached"]}


def everything(url: str, **filters: Any) -> list[dict[str, Any]]:
    """All that a filter of the server finds, page by page."""
    found: list[dict[str, Any]] = []
    while page := httpx.post(url, json={"limit": 200, "offset": len(found), **filters}).json():
        found += page
    return found


def test_the_run_leaves_what_a_person_reads(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    store, done = first
    content = metrics(store)
    assert [stage["name"] for stage in content["stages"]] == STAGES
    trials = {stage["name"]: stage["trials"] for stage in content["stages"]}
    assert trials == dict.fromkeys(STAGES, 0) | {
        "fully_connected_grid": 4, "fully_connected_hyperband": 6, "cnn_bayesian": 6, "cnn_augmentation": 5,
        "cnn_learning_rate": 11, "residual_recipe": 5,
    }  # fmt: skip
    final = content["final"]
    losses = {stage["name"]: stage["val_loss"] for stage in content["stages"]}
    assert final["stage"] == min(losses, key=lambda name: losses[name])
    assert len(final["members"]) == 2
    assert np.sum(final["confusion_matrix"]) == 100
    low, high = final["ensemble"]["wilson_95"]
    assert low < final["ensemble"]["test_accuracy"] <= high  # of 100 images, some processors get all right
    run = store / "latest"
    for name in ("report.html", "model.keras", "labels.csv", "plots/comparison.png", "trials/cnn_bayesian.csv"):
        assert (run / name).stat().st_size > 100, name
    assert str(run.resolve() / "report.html") in done.stdout.replace("\n", "")
    for stage in STAGES:
        assert stage in done.stdout
    assert "trial 11 of 11 · best val_loss" in done.stderr
    assert not list((store / "checkpoints").rglob("*.npz"))


def test_libraries_are_quiet(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for word in ("Warning", "WARNING", "oneDNN", "cuda", "absl", "Traceback"):
        assert word not in first[1].stderr


def test_the_server_shows_every_trial_as_a_task_run(
    first: tuple[Path, subprocess.CompletedProcess[str]], server: str
) -> None:
    store = str(first[0])  # other tests leave failed runs on this server
    every = everything(f"{server}/flow_runs/filter")
    flows = [flow for flow in every if flow["parameters"].get("settings", {}).get("store") == store]
    ours = {"flow_runs": {"id": {"any_": [flow["id"] for flow in flows]}}}
    runs = everything(f"{server}/task_runs/filter", **ours)
    names = {run["name"].partition(" · val_loss ")[0] for run in runs if " · val_loss " in run["name"]}
    for stage, count in (("fully_connected_grid", 4), ("fully_connected_hyperband", 6), ("cnn_learning_rate", 11)):
        assert {f"{stage} trial {number} of {count}" for number in range(1, count + 1)} <= names
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert {flow["state_type"] for flow in flows} == {"COMPLETED"}
    assert any(flow["name"].startswith("quick ") for flow in flows)


def test_a_second_run_computes_nothing(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str
) -> None:
    store, _ = first
    before = metrics(store)
    results = {path.name: path.stat().st_mtime_ns for path in (store / "results").iterdir()}
    done = run_script(PIPELINE, *TINY, "--workers=3", "--store", str(store), PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert computed(store) == set()
    assert {path.name: path.stat().st_mtime_ns for path in (store / "results").iterdir()} == results
    assert timeless(metrics(store)) == timeless(before)


def test_a_stage_runs_alone_and_is_refreshed(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(first[0], store, symlinks=True)
    stage = ("flows/fully_connected.py", "fully_connected_baseline", *TINY, "--store", str(store))
    before = {path.name: path.read_bytes() for path in (store / "results").iterdir()}
    done = run_script(*stage, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "from the cache" in done.stderr
    assert {path.name: path.read_bytes() for path in (store / "results").iterdir()} == before
    done = run_script(*stage, "--refresh", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "from the cache" not in done.stderr
    after = {path.name: path.read_bytes() for path in (store / "results").iterdir()}
    rewritten = [name for name, content in before.items() if after.pop(name) != content]
    assert {name.partition("-")[0] for name in rewritten} <= {"model", "dataset", "inspection"}
    assert sum(name.startswith("model-") for name in rewritten) == 1
    assert not after


def test_a_changed_parameter_and_a_changed_network_recompute_their_stages(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str, tmp_path: Path
) -> None:
    store, copy = tmp_path / "store", tmp_path / "checkout"
    shutil.copytree(first[0], store, symlinks=True)
    for room in ("flows", "running", "tasks", "mnist_models"):
        shutil.copytree(ROOT / room, copy / room)
    source = copy / "mnist_models" / "networks" / "residual.py"
    source.write_text(source.read_text().replace('name="residual"', 'name="residual_changed"'))
    changed = (*TINY, "--learning-rate-epochs=2", "--store", str(store))
    done = run_script(PIPELINE, *changed, root=copy, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert computed(store) == {"cnn_learning_rate", "residual_recipe"}


@pytest.mark.slow
def test_without_a_server_every_task_run_is_stored(run_script: Run, tmp_path: Path) -> None:
    import sqlite3

    done = run_script(PIPELINE, *TINY, "--store", str(tmp_path / "store"))
    assert done.returncode == 0, done.stderr
    assert "has not stored" not in done.stderr
    with sqlite3.connect(tmp_path / "prefect" / "prefect.db") as database:
        states = [state for (state,) in database.execute("select state_type from task_run")]
    trained = 4 + 6 + 6 + 5 + 11 + 5 + len(STAGES) + 2
    assert len(states) >= trained
    assert set(states) == {"COMPLETED"}


@pytest.mark.slow
def test_worker_counts_give_the_same_run(
    first: tuple[Path, subprocess.CompletedProcess[str]], run_script: Run, server: str, tmp_path: Path
) -> None:
    expected = timeless(metrics(first[0]))
    for workers in (1, 3):
        store = tmp_path / str(workers)
        done = run_script(PIPELINE, *TINY, f"--workers={workers}", "--store", str(store), PREFECT_API_URL=server)
        assert done.returncode == 0, done.stderr
        assert timeless(metrics(store)) == expected


def test_bad_data_is_refused_before_any_work(run_script: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    done = run_script(PIPELINE, "--data", str(tmp_path / "bad.npz"), "--store", str(tmp_path / "store"))
    assert done.returncode == 2
    assert "bad.npz: expected an .npz file" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store" / "results").exists()


def test_preprocessing_says_which_data_set_it_is(run_script: Run, server: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = [("cat", "dog")[number % 2] for number in range(40)]
    data = Images({"train": (generator.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8), labels)})
    path = write_pictures(data, tmp_path / "pictures")
    expected = preprocess(Store(tmp_path / "expected"), data=path, images=None, seed=1, key="dataset-cats").fingerprint
    arguments = ("--data", str(path), "--store", str(tmp_path / "store"))
    done = run_script("flows/preprocessing.py", *arguments, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"fingerprint {expected}"


@pytest.mark.slow
def test_images_without_labels_are_predicted(run_script: Run, server: str, tmp_path: Path) -> None:
    """Bright images are of class 1; the test file has no labels."""
    images = np.random.default_rng(0).integers(0, 100, (246, 8, 8, 1), dtype=np.uint8)
    images[1::2] += 150
    labels = [str(number % 2) for number in range(246)]
    data = Images({"train": (images[:240], labels[:240]), "test": (images[240:], labels[240:])})
    path = write_csv(data, tmp_path / "tables")
    lines = [line.partition(",")[2] for line in (path / "test.csv").read_text().splitlines()]
    (path / "test.csv").write_text("\n".join(lines) + "\n")
    store = tmp_path / "store"
    arguments = (*TINY, "--images=none", "--data", str(path), "--store", str(store))
    done = run_script(PIPELINE, *arguments, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    predicted = (store / "latest" / "predictions.csv").read_text().splitlines()
    assert predicted == ["ImageId,Label", *(f"{number},{(number - 1) % 2}" for number in range(1, 7))]


@pytest.mark.slow
def test_own_data_in_colour(run_script: Run, server: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(300) % 4
    images = generator.integers(0, 60, (300, 12, 10, 3), dtype=np.uint8)
    images[np.arange(300), 2 * labels, :, labels % 3] += 190  # a bright line whose place and colour tell the class
    np.savez(tmp_path / "own.npz", x_train=images[:240], y_train=labels[:240], x_test=images[240:], y_test=labels[240:])
    store = tmp_path / "store"
    arguments = (*TINY, "--images=none", "--data", str(tmp_path / "own.npz"), "--store", str(store))
    done = run_script(PIPELINE, *arguments, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    final = metrics(store)["final"]
    assert np.shape(final["confusion_matrix"]) == (4, 4)
    assert final["ensemble"]["test_accuracy"] > 0.5
