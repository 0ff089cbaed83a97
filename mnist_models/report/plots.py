"""The plots of a report, but for those of trainings and studies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.scores import Score, wilson_interval
from mnist_models.report.drawing import (
    BAND,
    EDGE,
    GRID,
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

GALLERY_IMAGES = 50


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


def confusion_matrix(final: FinalResult) -> Figure:
    """Draws the counts of true (rows) against predicted classes (columns): right ones in grey, mistakes in colour."""
    matrix = np.asarray(final.confusion_matrix)
    classes = len(matrix)
    diagonal = np.eye(classes, dtype=bool)
    most = max(int(matrix[~diagonal].max()), 4)
    side = 6.4 if classes <= 30 else 8.4
    points = 72 * (side - 1.2) / classes
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(side, side))
        axes = panel(figure, 0.7, 0.6, side - 1.2, side - 1.2)
        mistakes = np.where(diagonal | (matrix == 0), np.nan, matrix)
        axes.imshow(mistakes, cmap="Oranges", norm=PowerNorm(0.5, 0, 2.2 * most))
        axes.imshow(np.where(diagonal, 0.12, np.nan), cmap="Greys", vmin=0, vmax=1)
        for row, column in np.argwhere(matrix > 0):
            text = str(matrix[row, column])
            size = min(max(0.42 * points, 3.0), 11, 1.35 * points / len(text))
            colour = MUTED if row == column else INK
            axes.text(column, row, text, ha="center", va="center_baseline", size=size, color=colour)
        lines = np.arange(classes + 1) - 0.5
        axes.hlines(lines, -0.5, classes - 0.5, color=GRID, linewidth=0.6)
        axes.vlines(lines, -0.5, classes - 0.5, color=GRID, linewidth=0.6)
        ticks = range(0, classes, 1 if classes <= 40 else 5)
        axes.set(xticks=ticks, yticks=ticks, xlabel="predicted class", ylabel="true class")
        axes.tick_params(labelsize=min(9, 0.6 * points * (1 if classes <= 40 else 5)))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        header(figure, f"Confusion matrix: {len(final.mistakes)} mistakes in {final.test_images:,} test images", [])
    return figure


def mistakes(final: FinalResult, images: np.ndarray) -> Figure:
    """Shows misclassified test images, the surest first, under "true → predicted" and the probability given to it.

    Args:
        final: The judgement.
        images: uint8 [n, height, width, 1 or 3], in the order of `final.mistakes`; at most 50 are shown.
    """
    shown = list(zip(final.mistakes, images, strict=False))[:GALLERY_IMAGES]
    columns = 10 if len(final.confusion_matrix) <= 10 else 8  # labels of two digits need room
    pitch = (WIDTH - 0.6 + 0.2) / columns
    rows = max(math.ceil(len(shown) / columns), 1)
    ink_on_paper = len(shown) > 0 and np.median(images) < 64  # drawings on black are shown, and print, as ink
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.65 + (pitch + 0.25) * rows))
        axes = panel(figure, 0.3, 0.1, WIDTH - 0.6, (pitch + 0.25) * rows)
        for place, (mistake, image) in enumerate(shown):
            left, top = place % columns * pitch, place // columns * (pitch + 0.25) + 0.2
            _draw_image(axes, image, left, top, pitch - 0.2, "gray_r" if ink_on_paper else "gray")
            axes.text(left, top - 0.06, f"{mistake.label} → {mistake.predicted}", size=8.5, weight="bold")
            axes.text(left + pitch - 0.2, top - 0.06, f"{mistake.probability:.0%}", size=7.5, color=MUTED, ha="right")
        axes.set(xlim=(0, WIDTH - 0.6), ylim=((pitch + 0.25) * rows, 0))
        axes.set_axis_off()
        share = f"the surest {len(shown)} of" if len(shown) < len(final.mistakes) else "all"
        number = f"{share} {len(final.mistakes)}" if final.mistakes else "none"
        header(figure, f"Mistakes, true → predicted: {number}", [])
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


def _draw_image(axes: Axes, image: np.ndarray, left: float, top: float, side: float, colours: str) -> None:
    """Draws an image, with its proportions, into a square of so many inches."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    extent = (left, left + width * scale, top + height * scale, top)
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(pixels, cmap=colours, vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
