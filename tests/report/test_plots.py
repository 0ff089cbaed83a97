"""The plots: what they show, and that they can be drawn of whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_models.judging.quality import Bin, Calibration, curves
from mnist_models.judging.scores import wilson_interval
from mnist_models.report import judgement_plots, plots, training_plot
from mnist_models.report.drawing import render
from mnist_models.report.run import StageResult
from mnist_models.report.words import percent
from tests.examples import HISTORY, MATRIX, STAGES, diagonal, final, images, model, png_size


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
    png_size(render(training_plot.training_curves(stage)))
    png_size(render(plots.comparison([stage], "odd_stage", None, 100)))


def test_what_was_done_to_the_finished_model_is_a_ring_beside_the_curve() -> None:
    spec = {"calibrate": True, "keep": "last", "label_smoothing": 0.1}
    figure = training_plot.training_curves(StageResult(name="odd_stage", model=model(best_epoch=3, **spec)))
    loss = figure.axes[0]
    assert [list(line.get_xdata()) for line in loss.lines if line.get_markerfacecolor() == "white"] == [[3]]
    assert [list(line.get_xdata()) for line in loss.lines if len(line.get_xdata()) > 1][:2] == [[1, 2, 3], [1, 2]]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["validation (≤ 2,500)", "finished: calibrated", "train", "kept: epoch 3"]


def test_a_validation_of_the_last_epoch_alone_lies_there() -> None:
    history = {**HISTORY, "val_loss": (0.3,), "val_accuracy": (0.9,)}
    figure = training_plot.training_curves(StageResult(name="odd_stage", model=model(history, 3)))
    assert [line.get_xydata().tolist() for line in figure.axes[0].lines if len(line.get_xdata()) == 1][-1] == [[3, 0.3]]


def test_a_training_that_ended_early_was_not_finished() -> None:
    early = model({name: curve[:2] for name, curve in HISTORY.items()}, 2, calibrate=True, patience=1)
    figure = training_plot.training_curves(StageResult(name="odd_stage", model=early))
    assert not [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
