"""The report: figures, tables and plots of records built by hand."""

from __future__ import annotations

import csv
import io
import json
import struct
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_models import plots, study_plot
from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.drawing import render
from mnist_models.evaluation import FinalResult, MemberScore, Mistake, Score, class_scores, wilson_interval
from mnist_models.metrics import decimal, duration, percent, title, trials_csv
from mnist_models.report import best_trials, write_report
from mnist_models.run import Run
from mnist_models.study import StageResult, Trial
from mnist_models.training import TrainingResult, TrainingSpec

HISTORY = {
    "loss": (0.9, 0.4, 0.2),
    "accuracy": (0.7, 0.9, 0.95),
    "val_loss": (0.5, 0.3, 0.35),
    "val_accuracy": (0.8, 0.92, 0.91),
}
HOSTILE = '<script>alert("1")</script>&\'.npz'
FAILURE = 'the loss was not finite, "nan",\nin epoch 1'


def model(history: dict[str, tuple[float, ...]] = HISTORY, best_epoch: int = 2, **spec: Any) -> TrainingResult:
    values = {"network": "fully_connected", "hyperparameters": {"depth": 2, "activation": "relu"}, "epochs": 3}
    epochs = max((len(curve) for curve in history.values()), default=0)
    return TrainingResult(
        key="model",
        spec=TrainingSpec.model_validate({**values, **spec}),
        history=history,
        epochs=epochs,
        best_epoch=best_epoch,
        seconds=1.5,
        parameters=1234,
    )


def trial(number: int, val_loss: float | None = 0.5, **fields: Any) -> Trial:
    failure = None if val_loss is not None else FAILURE
    values: dict[str, Any] = {
        "parent": None,
        "values": {"depth": number % 3 + 1, "activation": "relu", "learning_rate": 10.0**-number},
        "epochs": 2,
        "best_epoch": 0 if failure else 2,
        "val_accuracy": None if failure else 0.9,
        "train_accuracy": None if failure else 0.8,
        "seconds": 0.25,
        "failure": failure,
    }
    return Trial(number=number, val_loss=val_loss, **{**values, **fields})


def final(matrix: list[list[int]], stage: str = "grid") -> FinalResult:
    counts = np.array(matrix)
    correct, total = int(np.trace(counts)), int(counts.sum())
    score = {"test_accuracy": correct / total, "test_loss": 0.1, "wilson_95": wilson_interval(correct, total)}
    wrong = [(row, column) for row, column in np.argwhere(counts) if row != column for _ in range(counts[row, column])]
    return FinalResult(
        key="final",
        stage=stage,
        members=(MemberScore(seed=1, **score), MemberScore(seed=2, **score)),
        ensemble=Score(**score),
        test_images=total,
        confusion_matrix=tuple(map(tuple, matrix)),
        per_class=class_scores(counts),
        mistakes=tuple(
            Mistake(index=index, label=int(row), predicted=int(column), probability=0.75)
            for index, (row, column) in enumerate(wrong)
        ),
    )


def diagonal(classes: int, mistakes: int = 0) -> list[list[int]]:
    matrix = 10 * np.eye(classes, dtype=int)
    for number in range(mistakes):
        matrix[number % classes, (number + 1) % classes] += 1
    return matrix.tolist()


def images(count: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 6, 8, channels), dtype=np.uint8)


def dataset(classes: int = 3, source: str = "mnist.npz") -> DatasetReference:
    return DatasetReference(
        key="dataset",
        fingerprint="ab" * 32,
        source=source,
        image_shape=(6, 8, 1),
        classes=classes,
        train=500,
        validation=100,
        test=33,
        files={},
    )


STAGES = [
    StageResult(name="baseline", model=model(), cached=True),
    StageResult(name="grid", model=model(), trials=(trial(1), trial(2, None), trial(3, 0.25), trial(4, 0.4, parent=1))),
]
MATRIX = [[10, 1, 0], [0, 11, 0], [2, 0, 9]]  # one 0 taken for a 1, two 2s for 0s


def write(folder: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "name": "calm-otter",
        "settings": Settings(profile="quick", seed=7),
        "dataset": dataset(),
        "stages": STAGES,
        "final": final(MATRIX),
        "members": [model({"loss": (0.3,), "accuracy": (0.9,)}, 1, seed=seed) for seed in (1, 2)],
        "seconds": 12.5,
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


def texts(figure: Figure) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for axes in figure.axes for text in axes.texts}


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


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
    }
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "profile": "quick",
        "seed": 7,
        "dataset_fingerprint": "ab" * 32,
        "code_fingerprint": "cd" * 32,
        "environment": {"Python": "3.13"},
        "stages": [stage, {**stage, "name": "grid", "seconds": 2.5, "trials": 4, "cached": False}],
        "final": {
            "stage": "grid",
            "members": [{"seed": seed, "test_accuracy": 30 / 33, "test_loss": 0.1} for seed in (1, 2)],
            "ensemble": {"test_accuracy": 30 / 33, "test_loss": 0.1, "wilson_95": list(wilson_interval(30, 33))},
            "confusion_matrix": MATRIX,
        },
        "seconds": 12.5,
    }


def test_files_are_where_they_are_expected(tmp_path: Path) -> None:
    assert write(tmp_path / "new" / "run") == tmp_path / "new" / "run" / "report.html"
    names = ["comparison", "confusion_matrix", "mistakes", "study_grid", "training_baseline", "training_grid"]
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


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    settings = Settings(profile="quick", data=Path(HOSTILE))
    named = {"name": HOSTILE, "dataset": dataset(source=HOSTILE), "environment": {HOSTILE: HOSTILE}}
    page = Page(write(tmp_path, settings=settings, **named))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) == 6  # title, heading, data set, name and value of the environment, settings


def test_trials_round_trip_through_csv(tmp_path: Path) -> None:
    write(tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials" / "grid.csv").read_text())))
    columns = ["number", "parent", "depth", "activation", "learning_rate", "epochs", "best_epoch"]
    assert list(rows[0]) == [*columns, "val_loss", "val_accuracy", "train_accuracy", "seconds", "failure"]
    for row, expected in zip(rows, STAGES[1].trials, strict=True):
        failure, activation = row.pop("failure"), row.pop("activation")
        given: dict[str, Any] = {name: json.loads(value) if value else None for name, value in row.items()}
        values = {"depth": given.pop("depth"), "activation": activation, "learning_rate": given.pop("learning_rate")}
        assert Trial(**given, values=values, failure=failure or None) == expected


def test_csv_leaves_empty_what_a_trial_does_not_have() -> None:
    table = trials_csv([trial(1, values={"a": 1}), trial(2, values={"b": "x"})]).decode()
    rows = [row[:4] for row in csv.reader(io.StringIO(table))]
    assert rows == [["number", "parent", "a", "b"], ["1", "", "1", ""], ["2", "", "", "x"]]


def test_best_trials_leave_out_failures() -> None:
    assert [t.number for t in best_trials(STAGES[1].trials)] == [3, 4, 1]
    assert len(best_trials([trial(number) for number in range(1, 30)])) == 10


def test_confusion_matrix_has_true_classes_in_rows() -> None:
    figure = plots.confusion_matrix(final([[10, 7], [2, 9]]))
    (axes,) = figure.axes
    assert texts(figure) == {(0, 0): "10", (1, 0): "7", (0, 1): "2", (1, 1): "9"}  # (x, y): "count"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    top, bottom = axes.get_ylim()[1], axes.get_ylim()[0]
    assert top < bottom  # class 0 is the uppermost row
    mistakes = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert mistakes[0, 1] == 7 and mistakes[1, 0] == 2 and np.isnan(mistakes[0, 0])


@pytest.mark.parametrize("classes", [2, 10, 37, 100])
@pytest.mark.parametrize("mistakes", [0, 4])
def test_confusion_matrix_of_any_number_of_classes(classes: int, mistakes: int) -> None:
    figure = plots.confusion_matrix(final(diagonal(classes, mistakes)))
    assert len(texts(figure)) == classes + min(mistakes, classes)
    assert png_size(render(figure))[0] > 1000


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", [0, 1, 60])
def test_gallery_shows_at_most_fifty_mistakes(channels: int, number: int) -> None:
    judged = final(diagonal(3, number))
    figure = plots.mistakes(judged, images(number, channels))
    assert len(figure.axes[0].images) == min(number, 50)
    if number:
        assert f"{judged.mistakes[0].label} → {judged.mistakes[0].predicted}" in texts(figure).values()
    png_size(render(figure))


def test_comparison_prints_and_places_accuracies() -> None:
    figure = plots.comparison(STAGES, "grid", final(MATRIX), 100)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Baseline", "Grid", "Ensemble of 2, test set"]
    assert [label.get_fontweight() for label in axes.get_yticklabels()] == ["normal", "bold", "bold"]
    assert [text.get_text() for text in axes.texts].count(percent(0.92)) == 2
    whiskers = [sorted(1 - x for x in line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(ends, wilson_interval(92, 100)) for ends in whiskers)
    assert any(np.allclose(ends, wilson_interval(30, 33)) for ends in whiskers)
    left, right = axes.get_xlim()
    assert left > right  # error rates fall to the right


@pytest.mark.parametrize(
    "history",
    [
        {},
        {"loss": (0.5,), "accuracy": (0.8,)},
        {name: curve[:1] for name, curve in HISTORY.items()},
        {"loss": (0.0, 0.0), "accuracy": (1.0, 1.0), "val_loss": (0.0, 0.0), "val_accuracy": (1.0, 1.0)},
        {"loss": (9.0, 1e9), "accuracy": (0.0, 0.0), "val_loss": (9.0, 1e9), "val_accuracy": (0.0, 0.0)},
    ],
    ids=["nothing", "no validation", "one epoch", "perfect", "hopeless"],
)
def test_plots_of_unusual_trainings(history: dict[str, tuple[float, ...]]) -> None:
    stage = StageResult(name="odd_stage", model=model(history, min(len(history.get("loss", ())), 1)))
    png_size(render(plots.training_curves(stage)))
    png_size(render(plots.comparison([stage], "odd_stage", None, 100)))


@pytest.mark.parametrize(
    "trials",
    [
        (),
        (trial(1),),
        (trial(1, None), trial(2, None)),
        (trial(1, values={}),),
        (trial(1, 0.0), trial(2, 1e12)),
        tuple(trial(n, 1 / n, values={"rate": 10.0 ** -(n / 9)}) for n in range(1, 40)),
        (trial(1, values={"a": 1}), trial(2, values={"b": "x"}), trial(3, parent=1, epochs=6), trial(4, parent=99)),
    ],
    ids=["none", "one", "all failed", "no hyperparameters", "extreme losses", "many values", "conditional, promoted"],
)
def test_plots_of_unusual_studies(trials: tuple[Trial, ...]) -> None:
    png_size(render(study_plot.study(StageResult(name="grid", model=model(), trials=trials))))


def test_study_shows_failures_and_promotions() -> None:
    trials = (trial(1), trial(2, None), trial(3, 0.3), trial(4, 0.2, parent=1, epochs=6))
    figure = study_plot.study(StageResult(name="grid", model=model(), trials=trials))
    top, *panels = figure.axes
    assert [axes.get_title("left") for axes in panels] == ["depth", "activation", "learning_rate"]
    crosses = [line for line in top.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[2]]
    assert any(list(line.get_xdata())[:2] == [1, 4] for line in top.lines)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["2", "6 epochs", "best so far", "best", "1 failed"]


def test_study_marks_losses_that_would_flatten_all_others() -> None:
    trials = (trial(1, 0.1), trial(2, 0.2), trial(3, 0.15), trial(4, 1e6))
    figure = study_plot.study(StageResult(name="grid", model=model(), trials=trials))
    assert figure.axes[0].get_ylim()[1] < 2
    assert figure.legends[0].get_texts()[-1].get_text() == "1 above 1.05"
    assert sum(len(points.get_offsets()) for points in figure.axes[0].collections) == 4


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
