"""The plots: what they show, and that they can be drawn of whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_models.judging.quality import Bin, Calibration, curves
from mnist_models.judging.scores import wilson_interval
from mnist_models.report import judgement_plots, plots, study_plot
from mnist_models.report.drawing import render
from mnist_models.report.run import StageResult
from mnist_models.report.words import percent
from mnist_models.search.trials import Trial
from tests.examples import HISTORY, MATRIX, STAGES, diagonal, final, images, model, png_size, trial


def texts(figure: Figure) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for axes in figure.axes for text in axes.texts}


def test_confusion_matrix_has_true_classes_in_rows() -> None:
    figure = judgement_plots.confusion_matrix(final([[10, 7], [2, 9]]), ["cat", "dog"])
    (axes,) = figure.axes
    assert texts(figure) == {(0, 0): "10", (1, 0): "7", (0, 1): "2", (1, 1): "9"}  # (x, y): "count"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    top, bottom = axes.get_ylim()[1], axes.get_ylim()[0]
    assert top < bottom  # class 0 is the uppermost row
    mistakes = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert mistakes[0, 1] == 7 and mistakes[1, 0] == 2 and np.isnan(mistakes[0, 0])


@pytest.mark.parametrize("classes", [2, 10, 37, 200])
@pytest.mark.parametrize("mistakes", [0, 4])
def test_confusion_matrix_of_any_number_of_classes(classes: int, mistakes: int) -> None:
    names = [f"kind {label}" for label in range(classes)]
    figure = judgement_plots.confusion_matrix(final(diagonal(classes, mistakes)), names)
    (axes,) = figure.axes
    few = classes <= 40
    assert len(texts(figure)) == (classes + min(mistakes, classes) if few else 0)
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == (names[:2] if few else ["0", "10"])
    assert png_size(render(figure))[0] > 1000


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", [0, 1, 60])
def test_gallery_shows_at_most_fifty_mistakes(channels: int, number: int) -> None:
    judged = final(diagonal(3, number))
    figure = judgement_plots.mistakes(judged, images(number, channels), ["cat", "dog", "a very long name indeed"])
    assert len(figure.axes[0].images) == min(number, 50)
    if number:
        assert "cat → dog" in texts(figure).values()
    if number > 2:
        assert "a very long n… → cat" in texts(figure).values()
    png_size(render(figure))


@pytest.mark.parametrize("bins", [1, 15])
def test_reliability_shows_all_bins(bins: int) -> None:
    sure = np.linspace(0.55, 0.99, bins) if bins > 1 else np.array([1.0])
    found = Calibration(ece=0.1, bins=tuple(Bin(count=7, confidence=float(c), accuracy=3 / 7) for c in sure))
    figure = judgement_plots.reliability(found)
    assert [len(line.get_xdata()) for line in figure.axes[0].lines][-1] == bins
    assert len(figure.axes[1].patches) == bins
    png_size(render(figure))


def test_curves_name_what_is_looked_for() -> None:
    found = curves(np.array([0.1, 0.4, 0.35, 0.8, 0.8]), np.array([0, 0, 1, 1, 1]))
    figure = judgement_plots.curves(found, "malignant")
    assert "malignant" in figure.texts[0].get_text()
    assert [axes.get_xlabel() for axes in figure.axes] == ["false positive rate", "recall"]
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
