"""The plot of a study: its trials in the order asked, and what each hyperparameter did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mnist_models.report.drawing import INK, MUTED, STYLE, TEST, VALIDATION, WIDTH, header, loss_scale, panel
from mnist_models.report.run import StageResult
from mnist_models.report.words import title
from mnist_models.search.trials import Trial

MOST_MEDIANS = 6  # a loss of so many medians has diverged
MOST_CATEGORIES = 10  # a hyperparameter of more values gets a numeric axis


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
        top = panel(figure, 0.75, height - 3.05, WIDTH - 1.05, 2.35)
        loss_scale(top, [_loss(trial) for trial in finished])
        _draw_trials(top, stage.trials, finished, colours, cap)
        for place, name in enumerate(names):
            row, column = divmod(place, columns)
            width = (WIDTH - 1.05 + 0.25) / columns - 0.25
            axes = panel(figure, 0.75 + column * (width + 0.25), height - 4.7 - 1.62 * row, width, 1.08)
            loss_scale(axes, [_loss(trial) for trial in finished])
            _draw_values(axes, name, [trial for trial in leaves if name in trial.values], colours, width, cap)
            axes.tick_params(axis="y", labelleft=column == 0)
        header(figure, f"{title(stage.name)}: {len(stage.trials)} trials", _study_handles(stage.trials, colours, cap))
    return figure


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
