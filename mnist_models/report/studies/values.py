"""What each value of a hyperparameter came to: a strip for each, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath

from mnist_models.report.drawing import EDGE, GRID, INK, MUTED
from mnist_models.report.studies.anytime import draw_trials
from mnist_models.report.studies.outcomes import Outcomes, loss
from mnist_models.report.studies.scales import Scale, scale
from mnist_models.search.trials import Trial

GAP = 0.25  # inches between two strips
SIZE, SMALLEST = 7.5, 6.0  # points of a tick label
APART = 0.06  # inches between two of them where all fit; at least half of it where some have no room


def draw_values(axes: Axes, names: Sequence[str], columns: int, width: float, seen: Outcomes) -> None:
    """Draws a row of strips into one panel, whose losses are scaled already: far cheaper than a panel for each.

    Args:
        axes: Where; x is in inches.
        names: Hyperparameters of this row, at most `columns`.
        columns: Strips that have room.
        width: Of the panel, in inches.
        seen: The study's trials; a bar is the median of a value.
    """
    strip = (width + GAP) / columns - GAP
    axes.set(xlim=(0, width), xticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(labelsize=SIZE)
    lefts = [column * (strip + GAP) for column in range(len(names))]
    _frames(axes, lefts, strip)
    dots: list[tuple[float, int]] = []
    bars: list[tuple[float, float, float]] = []
    for left, name in zip(lefts, names, strict=True):
        trials = [trial for trial in seen.combinations() if name in trial.values]
        axis = scale([trial.values[name] for trial in trials])
        axes.text(left, 1.05, name, size=8.5, weight="bold", transform=axes.get_xaxis_transform())
        dots += _dots(axis, trials, left, strip)
        bars += _medians(axis, trials, left, strip)
        _labels(axes, axis, left, strip)
    draw_trials(axes, [x for x, _ in dots], seen, 14 if len(seen.finished) <= 100 else 9, [trial for _, trial in dots])
    axes.hlines([loss for *_, loss in bars], [a for a, *_ in bars], [b for _, b, _ in bars], INK, lw=1.6, zorder=4)


def _frames(axes: Axes, lefts: Sequence[float], strip: float) -> None:
    low, high = axes.get_ylim()
    grid = [(height, left) for height in axes.get_yticks() for left in lefts]
    axes.hlines([y for y, _ in grid], [x for _, x in grid], [x + strip for _, x in grid], GRID, lw=0.8, zorder=0)
    axes.hlines([low] * len(lefts), lefts, [left + strip for left in lefts], EDGE, linewidth=0.8, clip_on=False)
    axes.vlines(lefts, low, high, EDGE, linewidth=0.8, clip_on=False)


def _dots(axis: Scale, trials: Sequence[Trial], left: float, strip: float) -> list[tuple[float, int]]:
    """Where each trial lies, and its number; those with the same value side by side."""
    spread = 0.36 * _pitch(axis, strip) if axis.even else 0.0
    shared = {place for place in axis.places if axis.places.count(place) > 1}
    return [
        (_x(place, axis, left, strip) + spread * ((0.618 * t.number) % 1 - 0.5) * (place in shared), t.number)
        for place, t in zip(axis.places, trials, strict=True)
    ]


def _medians(axis: Scale, trials: Sequence[Trial], left: float, strip: float) -> list[tuple[float, float, float]]:
    """Begin, end and height of a bar for each value that several trials have."""
    half, bars = 0.32 * _pitch(axis, strip), []
    for place in sorted(set(axis.places)) if axis.even else ():
        losses = [loss(trial) for at, trial in zip(axis.places, trials, strict=True) if at == place]
        if len(losses) > 1:
            middle = _x(place, axis, left, strip)
            bars.append((middle - half, middle + half, float(np.median(losses))))
    return bars


def _labels(axes: Axes, axis: Scale, left: float, strip: float) -> None:
    """Names the values: a little smaller where all fit so, else those that have room."""
    widths = [TextPath((0, 0), text, size=SIZE).get_extents().width / 72 for _, text in axis.ticks]
    fitting = SIZE * (_pitch(axis, strip) - APART) / max(widths, default=1.0)
    size = fitting if SMALLEST <= fitting < SIZE else SIZE
    free = left - GAP
    for (place, text), width in zip(axis.ticks, widths, strict=True):
        middle, half = _x(place, axis, left, strip), width / 2 * size / SIZE
        if middle - half >= free:
            axes.text(
                middle, -0.07, text, size=size, color=MUTED, ha="center", va="top", transform=axes.get_xaxis_transform()
            )
            free = middle + half + APART / 2


def _pitch(axis: Scale, strip: float) -> float:
    """Inches between two neighbours of an even axis."""
    return strip / max(len(axis.ticks), 1)


def _x(place: float, axis: Scale, left: float, strip: float) -> float:
    room = _pitch(axis, strip) / 2 if axis.even else 0.03 * strip
    return left + room + place * (strip - 2 * room)
