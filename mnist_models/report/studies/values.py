"""What each value of a hyperparameter came to: a strip for each, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mnist_models.report.drawing import EDGE, GRID, INK, MUTED
from mnist_models.report.studies.anytime import draw_trials
from mnist_models.report.studies.outcomes import Outcomes, loss
from mnist_models.report.studies.scales import Scale, scale
from mnist_models.search.trials import Trial

GAP = 0.25  # inches between two strips
CHARACTER = 0.068  # inches of a tick label


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
    axes.tick_params(labelsize=7.5)
    for column, name in enumerate(names):
        left = column * (strip + GAP)
        _frame(axes, name, left, strip)
        trials = [trial for trial in seen.combinations() if name in trial.values]
        axis = scale([trial.values[name] for trial in trials])
        _draw_strip(axes, axis, trials, left, strip, seen)
        _labels(axes, axis, left, strip)


def _frame(axes: Axes, name: str, left: float, strip: float) -> None:
    low, high = axes.get_ylim()
    axes.hlines(axes.get_yticks(), left, left + strip, GRID, linewidth=0.8, zorder=0)
    axes.hlines([low], left, left + strip, EDGE, linewidth=0.8, clip_on=False)
    axes.vlines([left], low, high, EDGE, linewidth=0.8, clip_on=False)
    axes.text(left, 1.05, name, size=8.5, weight="bold", transform=axes.get_xaxis_transform())


def _draw_strip(axes: Axes, axis: Scale, trials: list[Trial], left: float, strip: float, seen: Outcomes) -> None:
    pitch = _pitch(axis, strip)
    several = {place for place in axis.places if axis.places.count(place) > 1} if axis.even else set()
    x = [
        _x(place, axis, left, strip) + (0.36 * pitch * ((0.618 * trial.number) % 1 - 0.5) if place in several else 0.0)
        for place, trial in zip(axis.places, trials, strict=True)
    ]
    draw_trials(axes, x, seen, 14 if len(trials) <= 100 else 9, [trial.number for trial in trials])
    for place in several:
        losses = [loss(trial) for at, trial in zip(axis.places, trials, strict=True) if at == place]
        middle = _x(place, axis, left, strip)
        axes.hlines(
            float(np.median(losses)), middle - 0.32 * pitch, middle + 0.32 * pitch, INK, linewidth=1.6, zorder=4
        )


def _labels(axes: Axes, axis: Scale, left: float, strip: float) -> None:
    free = 0.0
    for place, text in axis.ticks:
        middle, half = _x(place, axis, left, strip), CHARACTER * (len(text) + 1) / 2
        if middle - half >= free:
            axes.text(
                middle, -0.07, text, size=7.5, color=MUTED, ha="center", va="top", transform=axes.get_xaxis_transform()
            )
            free = middle + half


def _pitch(axis: Scale, strip: float) -> float:
    """Inches between two neighbours of an even axis."""
    return strip / max(len(axis.ticks), 1)


def _x(place: float, axis: Scale, left: float, strip: float) -> float:
    room = _pitch(axis, strip) / 2 if axis.even else 0.03 * strip
    return left + room + place * (strip - 2 * room)
