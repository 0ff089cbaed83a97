"""The plots of a report, but for those of trainings and studies."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.scores import Score, wilson_interval
from mnist_models.report.drawing import (
    BAND,
    EDGE,
    INK,
    MUTED,
    STYLE,
    TEST,
    TRAIN,
    VALIDATION,
    WIDTH,
    accuracy_scale,
    header,
    panel,
)
from mnist_models.report.run import StageResult
from mnist_models.report.words import percent, title


def comparison(stages: Sequence[StageResult], chosen: str, final: FinalResult | None, validation_images: int) -> Figure:
    """Compares all stages by accuracy; stages run from top to bottom, better is further right.

    Args:
        stages: In the order of the pipeline.
        chosen: Name of the stage that validation chose.
        final: The judgement of its ensemble, if there is one yet.
        validation_images: Number of images behind each validation accuracy, for its 95 % Wilson interval.
    """
    names = [title(stage.name) for stage in stages] + ([f"Ensemble of {len(final.members)}, test set"] if final else [])
    intervals = [_interval(stage.model.metric("val_accuracy"), validation_images) for stage in stages]
    ends = [end for interval in intervals if interval for end in interval]
    ends += [value for stage in stages if (value := stage.model.metric("accuracy")) is not None]
    ends += final.ensemble.wilson_95 if final else ()
    left, height = 0.45 + 0.085 * max(map(len, names), default=0), 0.36 * len(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.25 + height))
        axes = panel(figure, left, 0.55, WIDTH - left - 2.0, height)
        floor = accuracy_scale(axes, "x", ends)
        for row, (stage, interval) in enumerate(zip(stages, intervals, strict=True)):
            _comparison_row(axes, row, stage, interval, floor, stage.name == chosen)
        if final:
            _test_row(axes, len(stages), final.ensemble, floor)
        axes.set(ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)), yticklabels=names, xlabel="accuracy, %")
        axes.tick_params(axis="y", labelcolor=INK, pad=8)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        for label, name in zip(axes.get_yticklabels(), [stage.name for stage in stages] + [chosen], strict=False):
            label.set_fontweight("bold" if name == chosen else "normal")
        _row_text(axes, 0.9, -0.8, "validation", MUTED)
        _row_text(axes, 1.75, -0.8, "train", MUTED)
        header(figure, "Model comparison", _comparison_handles(final is not None))
    return figure


def _interval(accuracy: float | None, images: int) -> tuple[float, float] | None:
    return None if accuracy is None else wilson_interval(round(accuracy * images), images)


def _comparison_row(
    axes: Axes, row: int, stage: StageResult, interval: tuple[float, float] | None, floor: float, chosen: bool
) -> None:
    train, validation = stage.model.metric("accuracy"), stage.model.metric("val_accuracy")
    if chosen:
        axes.axhspan(row - 0.5, row + 0.5, xmin=-2, xmax=2, color=BAND, linewidth=0, zorder=0, clip_on=False)
    if train is not None:
        x = max(1 - train, floor)
        axes.plot(x, row, "o", markersize=6, color=TRAIN, markerfacecolor="white", markeredgewidth=1.4)
    if validation is not None and interval is not None:
        _dot(axes, row, validation, interval, floor, VALIDATION, "o")
    _row_text(axes, 0.9, row, percent(validation), VALIDATION, bold=chosen)
    _row_text(axes, 1.75, row, percent(train), MUTED)


def _test_row(axes: Axes, row: int, score: Score, floor: float) -> None:
    axes.axhline(row - 0.5, color=EDGE, linewidth=0.8)
    _dot(axes, row, score.test_accuracy, score.wilson_95, floor, TEST, "D")
    _row_text(axes, 0.9, row, percent(score.test_accuracy), TEST, bold=True)


def _dot(
    axes: Axes, row: int, accuracy: float, interval: tuple[float, float], floor: float, colour: str, marker: str
) -> None:
    """Draws an accuracy and the whiskers of its interval."""
    axes.plot([max(1 - end, floor) for end in interval], [row, row], color=colour, linewidth=2.2, alpha=0.45)
    axes.plot(max(1 - accuracy, floor), row, marker, color=colour, markersize=7)


def _row_text(axes: Axes, inches: float, row: float, text: str, colour: str, bold: bool = False) -> None:
    """Writes into a column that ends so many inches right of the axes."""
    axes.annotate(
        text,
        xy=(1, row),
        xycoords=("axes fraction", "data"),
        xytext=(72 * inches, 0),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        color=colour,
        weight="bold" if bold else "normal",
        annotation_clip=False,
    )


def _comparison_handles(test: bool) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=VALIDATION, marker="o", label="validation, 95 % interval"),
        Line2D([], [], color=TRAIN, marker="o", linestyle="", fillstyle="none", label="train"),
    ]
    return [*handles, Line2D([], [], color=TEST, marker="D", label="test, 95 % interval")] if test else handles
