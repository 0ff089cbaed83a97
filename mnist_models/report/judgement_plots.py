"""The plots of the judgement: what is taken for what, how sure the model is, two classes at every threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.quality import Calibration, Curves
from mnist_models.judging.scores import wilson_interval
from mnist_models.report.drawing import DOTTED, GRID, INK, MUTED, STYLE, TEST, TRAIN, WIDTH, header, panel
from mnist_models.report.words import decimal

GALLERY_IMAGES = 50
READABLE = 40  # classes at most whose names and counts find room in a matrix
MOST_LETTERS = 14  # of a class's name in a plot
LETTER = 0.078  # inches
SIDE = 3.4  # inches of a panel


def confusion_matrix(final: FinalResult, names: Sequence[str]) -> Figure:
    """Draws the counts of true (rows) against predicted classes (columns): right ones in grey, mistakes in colour.

    Args:
        final: The judgement.
        names: Of the classes; those of more than forty are only numbered, and counts of their mistakes only coloured.
    """
    matrix = np.asarray(final.confusion_matrix)
    classes = len(matrix)
    diagonal = np.eye(classes, dtype=bool)
    most = max(int(matrix[~diagonal].max()), 4)
    side = 6.4 if classes <= 30 else 8.4
    margin = 0.7 + LETTER * max(_longest(names) - 3, 0)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(side + margin - 0.7, side + margin - 0.7))
        axes = panel(figure, margin, margin - 0.1, side - 1.2, side - 1.2)
        mistakes = np.where(diagonal | (matrix == 0), np.nan, matrix)
        axes.imshow(mistakes, cmap="Oranges", norm=PowerNorm(0.5, 0 if classes <= READABLE else -most, 2.2 * most))
        axes.imshow(np.where(diagonal, 0.12, np.nan), cmap="Greys", vmin=0, vmax=1)
        if classes <= READABLE:
            _write_counts(axes, matrix, 72 * (side - 1.2) / classes)
            lines = np.arange(classes + 1) - 0.5
            axes.hlines(lines, -0.5, classes - 0.5, color=GRID, linewidth=0.6)
            axes.vlines(lines, -0.5, classes - 0.5, color=GRID, linewidth=0.6)
        _name_classes(axes, names, 72 * (side - 1.2) / classes)
        axes.grid(visible=False)
        axes.spines[:].set_visible(classes > READABLE)
        header(figure, f"Confusion matrix: {len(final.mistakes)} mistakes in {final.test_images:,} test images", [])
    return figure


def mistakes(final: FinalResult, images: np.ndarray, names: Sequence[str]) -> Figure:
    """Shows misclassified test images, the surest first, under "true → predicted" and the probability given to it.

    Args:
        final: The judgement.
        images: uint8 [n, height, width, 1 or 3], in the order of `final.mistakes`; at most 50 are shown.
        names: Of the classes.
    """
    shown = list(zip(final.mistakes, images, strict=False))[:GALLERY_IMAGES]
    columns = min(max(int(WIDTH / (LETTER * (2 * _longest(names) + 3) + 0.55)), 3), 10)  # labels need room
    pitch = (WIDTH - 0.6 + 0.2) / columns
    rows = max(math.ceil(len(shown) / columns), 1)
    ink_on_paper = len(shown) > 0 and np.median(images) < 64  # drawings on black are shown, and print, as ink
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.65 + (pitch + 0.25) * rows))
        axes = panel(figure, 0.3, 0.1, WIDTH - 0.6, (pitch + 0.25) * rows)
        for place, (mistake, image) in enumerate(shown):
            left, top = place % columns * pitch, place // columns * (pitch + 0.25) + 0.2
            _draw_image(axes, image, left, top, pitch - 0.2, "gray_r" if ink_on_paper else "gray")
            axes.text(left, top - 0.06, _arrow(names, mistake.label, mistake.predicted), size=8.5, weight="bold")
            axes.text(left + pitch - 0.2, top - 0.06, f"{mistake.probability:.0%}", size=7.5, color=MUTED, ha="right")
        axes.set(xlim=(0, WIDTH - 0.6), ylim=((pitch + 0.25) * rows, 0))
        axes.set_axis_off()
        share = f"the surest {len(shown)} of" if len(shown) < len(final.mistakes) else "all"
        number = f"{share} {len(final.mistakes)}" if final.mistakes else "none"
        header(figure, f"Mistakes, true → predicted: {number}", [])
    return figure


def reliability(calibration: Calibration) -> Figure:
    """Draws how often predictions are right against how sure they are, and how many are how sure.

    Args:
        calibration: Of the final model.
    """
    sure, right = (np.array([getattr(one, name) for one in calibration.bins]) for name in ("confidence", "accuracy"))
    counts = np.array([one.count for one in calibration.bins])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, SIDE + 1.2))
        axes = panel(figure, 0.75, 0.55, SIDE, SIDE)
        _square(axes, "mean probability of what is predicted", "share that is right")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=DOTTED)
        for x, y, count in zip(sure, right, counts, strict=True):
            axes.plot([x, x], wilson_interval(round(y * count), int(count)), color=TEST, linewidth=2.2, alpha=0.45)
        axes.plot(sure, right, "D", color=TEST, markersize=5)
        axes = panel(figure, 0.75 + SIDE + 1.4, 0.55, WIDTH - SIDE - 2.5, SIDE)
        axes.bar(sure, counts, width=0.05, color=TRAIN)
        axes.set(xlim=(0, 1), yscale="log", ylim=(0.7, 2 * counts.max()))
        axes.set(xlabel="mean probability of what is predicted", ylabel="images")
        header(figure, f"Calibration: expected error {decimal(calibration.ece)}", [])
    return figure


def curves(curves: Curves, name: str) -> Figure:
    """Draws the ROC and the precision-recall curve of two classes.

    Args:
        curves: Of the final model.
        name: Of the class that is looked for.
    """
    low, high = curves.roc_auc_95
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, SIDE + 1.2))
        for column, (points, x, y, title) in enumerate(
            (
                (curves.roc, "false positive rate", "true positive rate",
                 f"area {curves.roc_auc:.4f} ({low:.4f}–{high:.4f})"),
                (curves.precision_recall, "recall", "precision", f"average precision {curves.average_precision:.4f}"),
            )
        ):  # fmt: skip
            axes = panel(figure, 0.75 + column * (SIDE + 1.3), 0.55, SIDE, SIDE)
            _square(axes, x, y)
            axes.set_title(title)
            axes.plot(*np.transpose(points), color=TEST, linewidth=2)
        header(figure, f"Looking for class {name}", [])
    return figure


def _square(axes: Axes, x: str, y: str) -> None:
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=ticks, yticks=ticks, xlabel=x, ylabel=y)


def _longest(names: Sequence[str]) -> int:
    return min(max(map(len, names)), MOST_LETTERS)


def _arrow(names: Sequence[str], label: int, predicted: int) -> str:
    return " → ".join(_short(names[number]) for number in (label, predicted))


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _write_counts(axes: Axes, matrix: np.ndarray, points: float) -> None:
    """Writes each count into its cell, which is so many points wide."""
    for row, column in np.argwhere(matrix > 0):
        text = str(matrix[row, column])
        size = min(max(0.42 * points, 3.0), 11, 1.35 * points / len(text))
        colour = MUTED if row == column else INK
        axes.text(column, row, text, ha="center", va="center_baseline", size=size, color=colour)


def _name_classes(axes: Axes, names: Sequence[str], points: float) -> None:
    step = 1 if len(names) <= READABLE else 5 if len(names) <= 100 else 10
    ticks = range(0, len(names), step)
    shown = [_short(names[tick]) for tick in ticks] if step == 1 else [str(tick) for tick in ticks]
    axes.set(xticks=ticks, yticks=ticks, xticklabels=shown, yticklabels=shown)
    axes.tick_params(labelsize=min(9, 0.6 * points * step))
    if step == 1 and _longest(names) > 3:
        axes.tick_params(axis="x", rotation=90)
    offset = 0.27 + LETTER * max(_longest(names) - 3, 0) if step == 1 else 0.27
    side = axes.get_window_extent().width / axes.figure.dpi
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.xaxis.set_label_coords(0.5, -offset / side)
    axes.yaxis.set_label_coords(-(offset + 0.11) / side, 0.5)


def _draw_image(axes: Axes, image: np.ndarray, left: float, top: float, side: float, colours: str) -> None:
    """Draws an image, with its proportions, into a square of so many inches."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    extent = (left, left + width * scale, top + height * scale, top)
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(pixels, cmap=colours, vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
