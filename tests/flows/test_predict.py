"""`flows/predict.py` as a person runs it, and as a run on Prefect's server."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.store import Store
from mnist_models.inference.pictures import encode
from tests.conftest import Run
from tests.serving import FRUIT, draw_fruit

PREDICT = "flows/predict.py"


@pytest.fixture(scope="module")
def folder(store: Store, dataset: DatasetReference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty digits as pictures, dark on light and larger, and their labels."""
    folder = tmp_path_factory.mktemp("pictures")
    test = read_split(store, dataset, "test")
    for number, (digit, label) in enumerate(zip(test.x[:20], test.y[:20], strict=True)):
        large = np.pad(255 - np.array(digit), ((20, 5), (8, 30), (0, 0)), constant_values=255)
        (folder / f"{number:02d}_{label}.png").write_bytes(encode(large.repeat(3, axis=0).repeat(3, axis=1)))
    return folder


def test_json_has_an_entry_for_each_picture_in_the_order_given(champion: Store, folder: Path, run_script: Run) -> None:
    files = sorted(map(str, folder.glob("*.png")), reverse=True)
    done = run_script(PREDICT, *files, "--store", str(champion.root), "--format", "json")
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    assert [answer["file"] for answer in answers] == files
    assert all(list(answer) == ["file", "label", "probability", "runner_up"] for answer in answers)
    assert all(answer["label"] != answer["runner_up"] for answer in answers)
    assert np.mean([f"_{answer['label']}.png" in answer["file"] for answer in answers]) >= 0.9
    assert done.stderr == ""


def test_csv_a_named_model_an_output_and_an_explanation(
    champion: Store, folder: Path, run_script: Run, tmp_path: Path
) -> None:
    options = ["--model", str(champion.root / "backward.tflite"), "--format", "csv"]
    options += ["--output", str(tmp_path / "answers.json"), "--explain", str(tmp_path / "why")]
    done = run_script(PREDICT, str(folder), *options)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    right = [f"_{9 - int(row['label'])}.png" in row["file"] for row in rows]
    assert (len(rows), np.mean(right) >= 0.9) == (20, True)
    assert [one["label"] for one in json.loads((tmp_path / "answers.json").read_text())] == [
        row["label"] for row in rows
    ]
    assert (
        len(list((tmp_path / "why").glob("*_seen.png"))) == len(list((tmp_path / "why").glob("*_saliency.png"))) == 20
    )


def test_a_bad_file_is_refused_before_any_work(champion: Store, folder: Path, run_script: Run, tmp_path: Path) -> None:
    done = run_script(PREDICT, str(folder), "missing.png", "--store", str(champion.root), "--output", "answers.csv")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "missing.png: expected a file to read" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "answers.csv").exists()


def test_a_champion_by_its_name_with_classes_of_its_own(fruit: Store, run_script: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    names = [name for name in FRUIT for _ in range(4)]
    for number, name in enumerate(names):
        draw_fruit(name, rng).save(tmp_path / f"{number:02d}.jpg")
    options = ["--store", str(fruit.root), "--champion", "fruit", "--format", "json"]
    answers = json.loads(run_script(PREDICT, str(tmp_path), *options).stdout)
    assert np.mean([one["label"] == name for one, name in zip(answers, names, strict=True)]) >= 0.9
    other = run_script(PREDICT, str(tmp_path), "--store", str(fruit.root), "--champion", "../named/fruit")
    assert other.returncode == 2
    assert "Received: fruit." in other.stderr


def test_no_champion_says_what_to_do(folder: Path, run_script: Run) -> None:
    done = run_script(PREDICT, str(folder), "--store", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "flows/full_pipeline.py --profile quick" in done.stderr


def test_with_a_server_it_is_a_run_with_its_answers(
    champion: Store, folder: Path, run_script: Run, server: str
) -> None:
    arguments = [str(folder), "--store", str(champion.root), "--format", "json"]
    done = run_script(PREDICT, *arguments, PREFECT_API_URL=server, PATH=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 20
    [run] = httpx.post(f"{server}/flow_runs/filter", json={"flows": {"name": {"any_": ["predict"]}}}).json()
    assert run["state_type"] == "COMPLETED"
    [artifact] = httpx.post(f"{server}/artifacts/filter", json={"artifacts": {"key": {"any_": ["answers"]}}}).json()
    assert len(artifact["data"]) == 20
