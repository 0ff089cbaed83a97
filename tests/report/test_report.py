"""The report: figures, tables and page of records built by hand."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.champion.gate import Decision
from mnist_models.champion.paired import compare_paired
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.records import FileReference
from mnist_models.foundation.settings import Form, Settings
from mnist_models.foundation.store import Store
from mnist_models.judging.scores import wilson_interval
from mnist_models.report.metrics import trials_csv
from mnist_models.report.page import best_trials, rungs, write_report
from mnist_models.report.run import Promotion, Run, StageResult
from mnist_models.report.words import decimal, duration, percent, title
from mnist_models.search.trials import Trial
from tests.champion.examples import challenger, figures
from tests.examples import (
    FAILURE,
    MATRIX,
    STAGES,
    dataset,
    decision,
    diagonal,
    final,
    halved_study,
    images,
    model,
    trial,
)

HOSTILE = '<script>alert("1")</script>&\'.npz'


def write(folder: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "name": "calm-otter",
        "settings": Settings(profile="quick", seed=7),
        "dataset": dataset(),
        "stages": STAGES,
        "final": final(MATRIX),
        "members": [model({"loss": (0.3,), "accuracy": (0.9,)}, 1, seed=seed) for seed in (1, 2)],
        "seconds": 12.5,
        "exports": (),
        "promotion": None,
    }
    others = {"mistake_images": images(3), "environment": {"Python": "3.13"}, "code_fingerprint": "cd" * 32}
    run = Run(**{name: changes.pop(name, value) for name, value in fields.items()})
    return write_report(folder, run, **{**others, **changes})


class Page(HTMLParser):
    """Collects what a page refers to, its tags, its text, and the tags left open."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headers: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.references += [value for name in ("src", "href", "srcset", "data") if (value := attributes.get(name))]
        if tag == "img":
            self.images.append(attributes)
        if tag == "th":
            self.headers.append(attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_metrics_hold_every_figure_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    stage = {
        "name": "baseline",
        "val_accuracy": 0.92,
        "val_loss": 0.3,
        "train_accuracy": 0.9,
        "best_epoch": 2,
        "epochs": 3,
        "seconds": 1.5,
        "trials": 0,
        "hyperparameters": {"depth": 2, "activation": "relu", "learning_rate": 0.001},
        "cached": True,
        "started_from": None,
        "decision": None,
    }
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "profile": "quick",
        "seed": 7,
        "dataset_fingerprint": "ab" * 32,
        "code_fingerprint": "cd" * 32,
        "environment": {"Python": "3.13"},
        "stages": [stage, {**stage, "name": "grid", "seconds": 2.25, "trials": 4, "cached": False}],
        "final": {
            "stage": "grid",
            "members": [{"seed": seed, "test_accuracy": 30 / 33, "test_loss": 0.1} for seed in (1, 2)],
            "ensemble": {"test_accuracy": 30 / 33, "test_loss": 0.1, "wilson_95": list(wilson_interval(30, 33))},
            "confusion_matrix": MATRIX,
            "quality": {
                "balanced_accuracy": pytest.approx((10 / 11 + 1 + 9 / 11) / 3),
                "macro_f1": pytest.approx((20 / 23 + 22 / 23 + 18 / 20) / 3),
                "calibration": {"ece": pytest.approx(30 / 33 - 0.9)},
                "first": None,
                "curves": None,
            },
            "classes": [
                {
                    "name": "0",
                    "count": 11,
                    "precision": 10 / 12,
                    "recall": 10 / 11,
                    "f1": 20 / 23,
                    "recall_95": list(wilson_interval(10, 11)),
                },
                {
                    "name": "1",
                    "count": 11,
                    "precision": 11 / 12,
                    "recall": 1.0,
                    "f1": 22 / 23,
                    "recall_95": list(wilson_interval(11, 11)),
                },
                {
                    "name": "2",
                    "count": 11,
                    "precision": 1.0,
                    "recall": 9 / 11,
                    "f1": 18 / 20,
                    "recall_95": list(wilson_interval(9, 11)),
                },
            ],
            "labels_set_aside": 0,
            "without_labels_set_aside": None,
        },
        "exports": [],
        "seconds": 12.5,
    }


def exported(name: Form, **changes: Any) -> ExportedForm:
    fields = {"path": name, "files": (FileReference(path=name, sha256="ab" * 32, size=1_610_608),), "images": 33}
    checked = {"labels_equal": 32, "largest_difference": 6.4e-7, "accuracy": 30 / 33, "milliseconds": 0.24}
    return ExportedForm(
        **{"key": name, "form": name, **fields, **checked, "wilson_95": wilson_interval(30, 33), **changes}
    )


def promotion(store: Store) -> Promotion:
    champion = challenger(store, "old")
    paired = compare_paired(np.arange(1000) != 1, np.arange(1000) > 2)
    decision = Decision(
        key="d", verdict="refused", reason="it is too slow", challenger=figures(), champion=figures(990),
        with_champion=paired, published=figures(),
    )  # fmt: skip
    return Promotion(
        outcome="refused", reason="it is too slow", name="default", champion=champion, decision=decision, readings=3
    )


def test_forms_and_the_gate_are_shown(tmp_path: Path) -> None:
    forms = [exported("litert"), exported("litert_int8", largest_difference=0.03)]
    page = Page(write(tmp_path, exports=forms, promotion=promotion(Store(tmp_path / "store"))))
    for word in (
        "Not promoted:",
        "it is too slow",
        "The champion remains the model of run old",
        "LiteRT, int8",
        "1.61 MB",
    ):
        assert word in page.text
    assert "3.0e-02" in page.text
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [form["form"] for form in metrics["exports"]] == ["litert", "litert_int8"]
    assert metrics["exports"][0]["size"] == 1_610_608


def test_files_are_where_they_are_expected(tmp_path: Path) -> None:
    assert write(tmp_path / "new" / "run") == tmp_path / "new" / "run" / "report.html"
    names = ["comparison", "confusion_matrix", "hyperparameters_grid", "mistakes", "reliability", "study_grid"]
    names += ["training_baseline", "training_grid"]
    assert sorted(path.relative_to(tmp_path / "new" / "run").as_posix() for path in tmp_path.rglob("*.*")) == [
        "metrics.json",
        *(f"plots/{name}.png" for name in names),
        "report.html",
        "trials/grid.csv",
    ]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_page_needs_no_other_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    page = Page(path)
    assert page.images
    assert all((image["src"] or "").startswith("data:image/png;base64,") and image["alt"] for image in page.images)
    assert all(reference.startswith(("data:", "#")) for reference in page.references)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in path.read_text() and "@import" not in path.read_text()
    assert all(header.get("scope") in {"row", "col"} for header in page.headers)
    assert not page.open


def test_page_tells_result_choice_and_failures(tmp_path: Path) -> None:
    text = Page(write(tmp_path)).text
    assert f"{percent(30 / 33)}test accuracy" in text.replace("\n", "")
    assert "1 failed trial" in text
    assert FAILURE in text
    assert "read once" in text


@pytest.mark.parametrize("replaced", [True, False])
def test_page_tells_how_a_search_with_rungs_ended(replaced: bool, tmp_path: Path) -> None:
    trials = halved_study()
    end = decision(trials, replaced)
    stage = StageResult(name="grid", model=model(), trials=trials, decision=end, started_from="residual_recipe")
    page = Page(write(tmp_path, stages=[STAGES[0], stage]))
    assert end.words in page.text
    assert "The search started from Residual recipe." in page.text
    assert ("kept what it started from" in page.text) == (not replaced)
    assert "Rungs: the best of each go on" in page.text
    assert page.text.count("another seed") == 3
    assert "dropped: 4th of 9, 3 go on" in page.text
    assert (tmp_path / "plots" / "finalists_grid.png").exists()
    assert json.loads((tmp_path / "metrics.json").read_text())["stages"][1]["decision"] == end.model_dump(mode="json")


def test_rungs_are_counted() -> None:
    seen = [(row["number"], row["trials"], row["images"], row["continued"]) for row in rungs(halved_study())]
    assert seen == [(1, 27, 6_000, 9), (2, 9, 18_000, 3), (3, 6, 54_000, 0)]
    assert rungs(STAGES[1].trials) == []


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    settings = Settings(profile="quick", data=Path(HOSTILE))
    named = {"name": HOSTILE, "dataset": dataset(source=HOSTILE), "environment": {HOSTILE: HOSTILE}}
    page = Page(write(tmp_path, settings=settings, **named))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) == 6  # title, heading, data set, name and value of the environment, settings


def test_trials_round_trip_through_csv(tmp_path: Path) -> None:
    write(tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials" / "grid.csv").read_text())))
    columns = ["number", "parent", "depth", "activation", "learning_rate", "rung", "images", "seed", "fate", "epochs"]
    columns += ["best_epoch", "val_loss", "val_accuracy", "train_accuracy", "seconds", "curve", "failure"]
    assert list(rows[0]) == columns
    for row, expected in zip(rows, STAGES[1].trials, strict=True):
        failure, activation, fate = row.pop("failure"), row.pop("activation"), row.pop("fate")
        curve = [float(loss) for loss in row.pop("curve").split()]
        given: dict[str, Any] = {name: json.loads(value) if value else None for name, value in row.items()}
        values = {"depth": given.pop("depth"), "activation": activation, "learning_rate": given.pop("learning_rate")}
        assert Trial(**given, values=values, fate=fate, curve=curve, failure=failure or None) == expected


def test_csv_leaves_empty_what_a_trial_does_not_have() -> None:
    table = trials_csv([trial(1, values={"a": 1}), trial(2, values={"b": "x"})]).decode()
    rows = [row[:4] for row in csv.reader(io.StringIO(table))]
    assert rows == [["number", "parent", "a", "b"], ["1", "", "1", ""], ["2", "", "", "x"]]


def test_best_trials_leave_out_failures() -> None:
    assert [t.number for t in best_trials(STAGES[1].trials)] == [3, 4, 1]
    assert len(best_trials([trial(number) for number in range(1, 30)])) == 10


def test_report_of_a_run_without_mistakes_trials_or_validation(tmp_path: Path) -> None:
    stage = StageResult(name="grid", model=model({"loss": (0.5,), "accuracy": (1.0,)}, 1))
    page = Page(write(tmp_path, stages=[stage], final=final(diagonal(2)), dataset=dataset(2), mistake_images=images(0)))
    assert "No mistakes in 20 test images." in page.text
    assert not (tmp_path / "plots" / "mistakes.png").exists()
    assert not (tmp_path / "trials").exists()


def test_figures_are_written_for_people() -> None:
    assert title("cnn_learning_rate") == "CNN learning rate"
    assert (percent(0.98765), percent(None)) == ("98.77\u202f%", "–")
    assert (decimal(0.03), decimal(None)) == ("0.0300", "–")
    times = [duration(seconds).replace("\u202f", " ") for seconds in (4.24, 59.6, 200, 3_900)]
    assert times == ["4.2 s", "1 min 00 s", "3 min 20 s", "1 h 05 min"]
