"""The plots of a report, as matplotlib figures made without pyplot, which would keep every figure alive.

Losses and accuracies span decades: losses are drawn on a logarithmic axis, accuracies as error rates on one, labelled
as accuracies, so that 98 % and 99 % are as far apart as 99 % and 99.5 %: half the mistakes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from mnist_models.evaluation import FinalResult, Score, wilson_interval
from mnist_models.metrics import percent, title
from mnist_models.study import StageResult, Trial

INK, MUTED, EDGE, GRID, BAND = "#1f2933", "#66717d", "#c5ccd3", "#e4e8ec", "#eef4f9"
VALIDATION, TRAIN, TEST = "#0072b2", "#a9b8c6", "#d55e00"  # Okabe & Ito: told apart by colour-blind readers
DOTTED = (0, (2, 3))
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # a fixed place: looking for a free one takes longer than drawing
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "legend.handlelength": 1.5,
}
WIDTH = 10.0  # inches of every figure but the square ones
DENSITY = 170  # pixels per inch: about twice what a page shows
GALLERY_IMAGES = 50
MOST_MEDIANS = 6  # a loss of so many medians has diverged
MOST_CATEGORIES = 10  # a hyperparameter of more values gets a numeric axis


def render(figure: Figure) -> bytes:
    """Draws a figure as PNG; the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE):  # ticks are made, and read their style, only when drawn
        figure.set_dpi(DENSITY)
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        canvas.draw()
        return _indexed_png(np.asarray(canvas.buffer_rgba())[..., :3])


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
        axes = _panel(figure, left, 0.55, WIDTH - left - 2.0, height)
        floor = _accuracy_scale(axes, "x", ends)
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
        _header(figure, "Model comparison", _comparison_handles(final is not None))
    return figure


def training_curves(stage: StageResult) -> Figure:
    """Draws loss and accuracy over the epochs of a stage's model, with the epoch whose weights it kept."""
    history, best = stage.model.history, stage.model.best_epoch
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.4))
        for column, name in enumerate(("loss", "accuracy")):
            axes = _panel(figure, 0.75 + 4.85 * column, 0.5, 4.2, 2.2)
            axes.set(title="loss, nats" if name == "loss" else "accuracy, %", xlabel="epoch")
            curves = {"train": history.get(name, ()), "validation": history.get(f"val_{name}", ())}
            values = [value for curve in curves.values() for value in curve]
            if not values:
                axes.text(0.5, 0.5, "no epoch was finished", transform=axes.transAxes, ha="center", color=MUTED)
            floor = _loss_scale(axes, values) if name == "loss" else _accuracy_scale(axes, "y", values)
            for label, curve in curves.items():
                drawn = np.asarray(curve) if name == "loss" else np.maximum(1 - np.asarray(curve), floor)
                _curve(axes, drawn, best, VALIDATION if label == "validation" else TRAIN)
            if values and best:
                axes.axvline(best, color=INK, linewidth=0.8, linestyle=DOTTED, zorder=1)
            axes.set_xlim(0.5, max(stage.model.epochs, 1) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        handles = [
            Line2D([], [], color=colour, linewidth=2, label=label)
            for label, colour, name in (("validation", VALIDATION, "val_loss"), ("train", TRAIN, "loss"))
            if history.get(name)
        ]
        if best:
            handles.append(Line2D([], [], color=INK, linewidth=0.8, linestyle=DOTTED, label=f"kept: epoch {best}"))
        _header(figure, f"{title(stage.name)}: training curves", handles)
    return figure


def study(stage: StageResult) -> Figure:
    """Draws the trials of a study in the order asked, and their losses by the value of each hyperparameter.

    A trial that Hyperband promoted is linked to the one it continued, and trials are darker the longer they trained.
    The lower panels leave out trials that others continued; a bar is the median of its value. Losses above six times
    the median are triangles at that height: a few trials that diverged would flatten all others.
    """
    finished, cap = _capped([trial for trial in stage.trials if _is_finished(trial)])
    continued = {trial.parent for trial in finished}
    leaves = [trial for trial in finished if trial.number not in continued]
    names = list(dict.fromkeys(name for trial in finished for name in trial.values))
    columns = min(len(names), 4)
    rows = math.ceil(len(names) / columns) if names else 0
    colours = _colours_by_epochs(finished)
    with matplotlib.rc_context(STYLE):
        height = 3.45 + 1.62 * rows
        figure = Figure(figsize=(WIDTH, height))
        top = _panel(figure, 0.75, height - 3.05, WIDTH - 1.05, 2.35)
        _loss_scale(top, [_loss(trial) for trial in finished])
        _draw_trials(top, stage.trials, finished, colours, cap)
        for place, name in enumerate(names):
            row, column = divmod(place, columns)
            width = (WIDTH - 1.05 + 0.25) / columns - 0.25
            axes = _panel(figure, 0.75 + column * (width + 0.25), height - 4.7 - 1.62 * row, width, 1.08)
            _loss_scale(axes, [_loss(trial) for trial in finished])
            _draw_values(axes, name, [trial for trial in leaves if name in trial.values], colours, width, cap)
            axes.tick_params(axis="y", labelleft=column == 0)
        _header(figure, f"{title(stage.name)}: {len(stage.trials)} trials", _study_handles(stage.trials, colours, cap))
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
        axes = _panel(figure, 0.7, 0.6, side - 1.2, side - 1.2)
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
        _header(figure, f"Confusion matrix: {len(final.mistakes)} mistakes in {final.test_images:,} test images", [])
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
        axes = _panel(figure, 0.3, 0.1, WIDTH - 0.6, (pitch + 0.25) * rows)
        for place, (mistake, image) in enumerate(shown):
            left, top = place % columns * pitch, place // columns * (pitch + 0.25) + 0.2
            _draw_image(axes, image, left, top, pitch - 0.2, "gray_r" if ink_on_paper else "gray")
            axes.text(left, top - 0.06, f"{mistake.label} → {mistake.predicted}", size=8.5, weight="bold")
            axes.text(left + pitch - 0.2, top - 0.06, f"{mistake.probability:.0%}", size=7.5, color=MUTED, ha="right")
        axes.set(xlim=(0, WIDTH - 0.6), ylim=((pitch + 0.25) * rows, 0))
        axes.set_axis_off()
        share = f"the surest {len(shown)} of" if len(shown) < len(final.mistakes) else "all"
        number = f"{share} {len(final.mistakes)}" if final.mistakes else "none"
        _header(figure, f"Mistakes, true → predicted: {number}", [])
    return figure


def _panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches: cheaper than any automatic layout, and always the same."""
    w, h = figure.get_size_inches()
    axes = figure.add_axes((left / w, bottom / h, width / w, height / h))
    axes.xaxis.set_label_coords(0.5, -0.27 / height)
    axes.yaxis.set_label_coords(-0.38 / width, 0.5)
    return axes


def _header(figure: Figure, text: str, handles: Sequence[Artist]) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.3 / width, 1 - 0.18 / height, text, size=11, weight="bold", va="top")
    if handles:
        anchor = (1 - 0.2 / width, 1 - 0.16 / height)
        figure.legend(handles=handles, loc="upper right", bbox_to_anchor=anchor, ncols=len(handles), borderaxespad=0)


def _log_ticks(low: float, high: float, dense: float = 1.0) -> list[float]:
    """Returns round numbers for a logarithmic axis: five in a decade where it spans less than `dense` decades."""
    decades = math.log10(high / low)
    mantissas = (1, 2, 3, 5, 7) if decades < dense else (1, 2, 5) if decades < 3 * dense else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1, math.ceil(decades / 7))
    return [tick for e in exponents for m in mantissas if low <= (tick := float(f"{m}e{e}")) <= high]


def _loss_scale(axes: Axes, losses: Sequence[float]) -> float:
    """Makes a logarithmic axis where losses differ by much."""
    if not losses:
        axes.set_yticks([])
        return 0.0
    low, high = min(losses), max(losses)
    if low > 0 and high > 2.5 * low:
        ticks = _log_ticks(low / 1.2, high * 1.2)
        axes.set(yscale="log", ylim=(low / 1.2, high * 1.2), yticks=ticks, yticklabels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        room = max(0.08 * (high - low), 0.02 * abs(high)) or 0.05
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:.6g}"))
    return low


def _accuracy_scale(axes: Axes, axis: Literal["x", "y"], accuracies: Iterable[float]) -> float:
    """Makes an axis of error rates, logarithmic and from bad to good, labelled as accuracies in percent.

    Returns:
        The error rate to draw for one of 0, which has no place on a logarithmic axis.
    """
    errors = [1 - accuracy for accuracy in accuracies]
    if not errors:
        axes.set(**{f"{axis}ticks": []})
        return 1.0
    none = min(errors) <= 1e-9
    floor = min((error for error in errors if error > 1e-9), default=0.01) / (2 if none else 1)
    worst, best = max(*errors, 1.5 * floor) * 1.15, floor / 1.15
    ticks = _log_ticks(1.4 * floor if none else best, min(worst, 1), 1.4 if axis == "x" else 1.0)
    labels = [f"{100 * (1 - tick):.10g}" for tick in ticks]
    if none:
        ticks, labels = [*ticks, floor], [*labels, "100"]
    axes.set(**{f"{axis}scale": "log", f"{axis}lim": (worst, best), f"{axis}ticks": ticks, f"{axis}ticklabels": labels})
    axes.minorticks_off()
    return floor


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


def _curve(axes: Axes, values: np.ndarray, best: int, colour: str) -> None:
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, color=colour, linewidth=2, marker="o" if len(values) == 1 else None)
    if 0 < best <= len(values):
        axes.plot(best, values[best - 1], "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)


def _is_finished(trial: Trial) -> bool:
    return trial.failure is None and trial.val_loss is not None


def _loss(trial: Trial) -> float:
    return float("nan") if trial.val_loss is None else trial.val_loss


def _colours_by_epochs(trials: Sequence[Trial]) -> dict[int, Any]:
    """A colour for each number of epochs, the darker the more; one colour for all where nothing was promoted."""
    epochs = sorted({trial.epochs for trial in trials})
    if len(epochs) < 2 or all(trial.parent is None for trial in trials):
        return dict.fromkeys(epochs, VALIDATION)
    scale = LogNorm(max(epochs[0], 1), epochs[-1])
    shades = matplotlib.colormaps["YlGnBu"]
    return {number: shades(0.32 + 0.63 * float(scale(max(number, 1)))) for number in epochs}


def _capped(trials: Sequence[Trial]) -> tuple[list[Trial], float]:
    """Returns the trials with no loss above a cap, and the cap."""
    cap = MOST_MEDIANS * float(np.median([_loss(trial) for trial in trials])) if trials else math.inf
    return [t if _loss(t) < cap else t.model_copy(update={"val_loss": cap}) for t in trials], cap


def _scatter(
    axes: Axes, x: Sequence[float], trials: Sequence[Trial], colours: dict[int, Any], size: float, cap: float
) -> None:
    points = [(place, _loss(trial), colours[trial.epochs]) for place, trial in zip(x, trials, strict=True)]
    for marker, some in (("o", [p for p in points if p[1] < cap]), ("^", [p for p in points if p[1] >= cap])):
        if some:
            places, losses, shades = zip(*some, strict=True)
            axes.scatter(places, losses, s=size, c=shades, marker=marker, linewidths=0, alpha=0.9, zorder=3)


def _draw_trials(
    axes: Axes, trials: Sequence[Trial], finished: Sequence[Trial], colours: dict[int, Any], cap: float
) -> None:
    by_number = {trial.number: trial for trial in finished}
    links = [(by_number[trial.parent], trial) for trial in finished if trial.parent in by_number]
    if links:
        gap = float("nan")  # ends a link, so that all are one line
        x = [number for parent, trial in links for number in (parent.number, trial.number, gap)]
        y = [loss for parent, trial in links for loss in (_loss(parent), _loss(trial), gap)]
        axes.plot(x, y, color=MUTED, linewidth=0.6, alpha=0.45, zorder=2)
    _scatter(axes, [trial.number for trial in finished], finished, colours, 30 if len(trials) <= 100 else 16, cap)
    last = max((trial.number for trial in trials), default=1)
    if finished:
        lowest = np.minimum.accumulate([_loss(trial) for trial in finished])
        numbers = [trial.number for trial in finished]
        axes.step([*numbers, last], [*lowest, lowest[-1]], where="post", color=INK, linewidth=1.1, zorder=2.5)
        best = min(finished, key=lambda trial: (_loss(trial), trial.number))
        axes.plot(best.number, _loss(best), "o", markersize=11, markerfacecolor="none", color=TEST, markeredgewidth=1.6)
    failed = [trial.number for trial in trials if not _is_finished(trial)]
    axes.plot(failed, [0.97] * len(failed), "x", color=TEST, transform=axes.get_xaxis_transform(), markeredgewidth=1.6)
    axes.set(xlim=(0.5 - 0.012 * last, last + 0.5 + 0.012 * last), title="validation loss of each trial")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def _study_handles(trials: Sequence[Trial], colours: dict[int, Any], cap: float) -> list[Artist]:
    handles: list[Artist] = []
    if len(set(colours.values())) > 1:
        epochs = list(colours)
        shown = [epochs[round(place)] for place in np.linspace(0, len(epochs) - 1, min(len(epochs), 5))]
        handles = [_marker("o", colours[e], f"{e} epochs" if e == shown[-1] else str(e), 5.5) for e in shown]
    best = [
        Line2D([], [], color=INK, linewidth=1.1, label="best so far"),
        Line2D([], [], color=TEST, marker="o", markersize=9, linestyle="", fillstyle="none", label="best"),
    ]
    failed = sum(not _is_finished(trial) for trial in trials)
    above = sum(_is_finished(trial) and _loss(trial) >= cap for trial in trials)
    triangles = [_marker("^", VALIDATION, f"{above} above {cap:.3g}", 6)] if above else []
    crosses = [_marker("x", TEST, f"{failed} failed", 6)] if failed else []
    return [*handles, *(best if failed < len(trials) else []), *triangles, *crosses]


def _marker(marker: str, colour: Any, label: str, size: float) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, markersize=size, linestyle="", label=label)


def _draw_values(
    axes: Axes, name: str, trials: Sequence[Trial], colours: dict[int, Any], width: float, cap: float
) -> None:
    """Draws losses by the value of one hyperparameter, in a panel of so many inches."""
    axes.set_title(name, size=8.5, weight="bold", pad=4)
    axes.tick_params(labelsize=7.5)
    axes.grid(axis="x", visible=False)
    values = sorted({trial.values[name] for trial in trials}, key=lambda value: (isinstance(value, str), value))
    numbers = [value for value in values if not isinstance(value, str)]
    size = 14 if len(trials) <= 100 else 9
    if len(values) > MOST_CATEGORIES and len(numbers) == len(values):
        _scatter(axes, [float(trial.values[name]) for trial in trials], trials, colours, size, cap)
        low, high = float(numbers[0]), float(numbers[-1])
        if low > 0 and high > 30 * low:
            axes.set(xscale="log", xlim=(low / 1.25, high * 1.25))
            axes.minorticks_off()
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4))
        return
    groups = [[trial for trial in trials if trial.values[name] == value] for value in values]
    several = [place for place, group in enumerate(groups) if len(group) > 1]
    jitter = [0.36 * ((0.618 * t.number) % 1 - 0.5) * (place in several) for place, g in enumerate(groups) for t in g]
    x = np.repeat(range(len(groups)), [len(group) for group in groups]) + jitter
    _scatter(axes, x.tolist(), [trial for group in groups for trial in group], colours, size, cap)
    medians = [float(np.median([_loss(trial) for trial in groups[place]])) for place in several]
    begins, ends = [place - 0.32 for place in several], [place + 0.32 for place in several]
    axes.hlines(medians, begins, ends, INK, linewidth=1.6, zorder=4)
    labels = [value if isinstance(value, str) else f"{value:g}" for value in values]
    step = math.ceil((0.075 * sum(len(label) + 2 for label in labels) or 1) / width)
    axes.set(xlim=(-0.6, len(values) - 0.4), xticks=range(0, len(values), step), xticklabels=labels[::step])


def _draw_image(axes: Axes, image: np.ndarray, left: float, top: float, side: float, colours: str) -> None:
    """Draws an image, with its proportions, into a square of so many inches."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    extent = (left, left + width * scale, top + height * scale, top)
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(pixels, cmap=colours, vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")


def _indexed_png(pixels: np.ndarray) -> bytes:
    """Writes uint8 [height, width, 3] with a palette of at most 256 colours: a third of the size of true colours.

    Colours are told apart by the upper five bits of each channel; the rarest take the nearest of the 256 most frequent.
    """
    height, width = pixels.shape[:2]
    red, green, blue = (np.ascontiguousarray(pixels[..., channel]).ravel() for channel in range(3))
    codes = (red >> 3).astype(np.intp) << 10 | (green >> 3).astype(np.intp) << 5 | blue >> 3
    counts = np.bincount(codes, minlength=1 << 15)
    used = np.flatnonzero(counts)
    used = used[np.argsort(-counts[used], kind="stable")]
    sums = np.stack([np.bincount(codes, channel, 1 << 15)[used] for channel in (red, green, blue)], axis=1)
    colours = np.rint(sums / counts[used, None])
    palette = colours[:256]
    index = np.zeros(1 << 15, dtype=np.uint8)
    index[used] = ((palette**2).sum(axis=1) - 2 * colours @ palette.T).argmin(axis=1)  # smallest squared distance
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = index[codes].reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = {b"IHDR": header, b"PLTE": palette.astype(np.uint8).tobytes(), b"IDAT": zlib.compress(rows.tobytes(), 6)}
    chunks = [_chunk(name, data) for name, data in {**parts, b"IEND": b""}.items()]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
