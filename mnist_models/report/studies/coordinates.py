"""All hyperparameters of a study side by side: which values good trials share, and how much each one matters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_models.report.drawing import EDGE, INK, MUTED, STYLE, TEST, VALIDATION, WIDTH, header, log_ticks, panel
from mnist_models.report.run import StageResult
from mnist_models.report.studies.importance import Importance, importance
from mnist_models.report.studies.outcomes import Outcomes, loss, outcomes, pale_to_dark
from mnist_models.report.studies.scales import Scale, scale
from mnist_models.report.words import title
from mnist_models.search.trials import Trial

LEFT, RIGHT = 0.75, 0.55  # inches beside the panels
CHARACTER = 0.068  # inches of a value's
JITTER = 0.05  # of an axis: lines through the same value lie side by side
MOST_LINES = 40  # of the best; with more, nothing can be followed
MOST_WRAPPED = 11  # names side by side; more of them are slanted
SHADES = 6  # of losses: few, since each crossing of two colours costs bytes


def shown_names(stage: StageResult) -> list[str]:
    """The hyperparameters that all trials of a study have, but not with one value, in the order declared."""
    trials = [trial.values for trial in stage.trials if trial.failure is None and trial.val_loss is not None]
    names = [name for name in trials[0] if all(name in values for values in trials)] if trials else []
    return [name for name in names if len({values[name] for values in trials}) > 1]


def hyperparameters(stage: StageResult) -> Figure:
    """Draws a line for each combination through its values to its loss, and below each axis how much it matters.

    The lower the loss, the darker the line and the later it is drawn. Trials that others continued are left out.

    Args:
        stage: With some `shown_names`.
    """
    seen, names = outcomes(stage), shown_names(stage)
    ranked = sorted(seen.combinations(), key=loss)
    trials = ranked[:MOST_LINES][::-1]
    found = importance(seen, names)
    below = 0.0 if found is None else 0.5 if found.nothing else 1.55
    above = 0.95 if len(names) < MOST_WRAPPED else 1.35
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.8 + above + below))
        axes = panel(figure, LEFT, 0.35 + below, WIDTH - LEFT - RIGHT, 2.45)
        _draw_lines(axes, trials, names, seen)
        if found:
            bars = panel(figure, LEFT, 0.3, WIDTH - LEFT - RIGHT, below - 0.45)
            _draw_importance(bars, found, len(names))
        handles = [
            Line2D([], [], color=pale_to_dark(SHADES)[0], linewidth=1.5, label="high loss"),
            Line2D([], [], color=pale_to_dark(SHADES)[-1], linewidth=1.5, label="low loss"),
            Line2D([], [], color=TEST, linewidth=2, label="best"),
        ]
        shown = f"the best {len(trials)} of {len(ranked)}" if len(trials) < len(ranked) else f"{len(trials)}"
        header(figure, f"{title(stage.name)}: hyperparameters of {shown} combinations", handles)
    return figure


def _draw_lines(axes: Axes, trials: Sequence[Trial], names: Sequence[str], seen: Outcomes) -> None:
    axes.set(xlim=(-0.35, len(names) + 0.35), ylim=(-0.06, 1.06))
    axes.set_axis_off()
    axes.vlines(range(len(names) + 1), 0, 1, EDGE, linewidth=1, zorder=1)
    columns = []
    for column, name in enumerate(names):
        axis = scale([trial.values[name] for trial in trials])
        _draw_axis(axes, column, axis, name, len(names))
        spread = JITTER * min(1.0, 4 / len(axis.ticks)) if axis.even else 0.0
        columns.append([p + spread * ((0.618 * t.number) % 1 - 0.5) for p, t in zip(axis.places, trials, strict=True)])
    losses = _loss_axis([loss(trial) for trial in trials])
    _draw_axis(axes, len(names), losses, "val_loss", len(names))
    heights = np.array([*columns, losses.places]).T
    lines = [np.column_stack([range(len(names) + 1), height]) for height in heights]
    widths = np.linspace(0.7, 1.5, len(trials))
    axes.add_collection(LineCollection(lines, colors=_by_place(losses.places), linewidths=widths, zorder=2))
    for line, trial in zip(lines, trials, strict=True):
        if trial.number == seen.winner:
            axes.plot(*line.T, color=TEST, linewidth=2, zorder=3)


def _draw_axis(axes: Axes, x: int, axis: Scale, name: str, last: int) -> None:
    """Writes name and values of an axis; of values so much as there is room for up to the next axis."""
    if last < MOST_WRAPPED:
        axes.text(x, 1.09, _wrapped(name), size=7.5, weight="bold", ha="center", va="bottom", linespacing=1.1)
    else:
        axes.text(x, 1.09, name, size=7.5, weight="bold", rotation=32, rotation_mode="anchor")
    room = int((WIDTH - LEFT - RIGHT) / (last + 0.7) / CHARACTER) if x < last else 8
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    for place, text in axis.ticks:
        shown = text if len(text) <= room else f"{text[: room - 1]}…"
        axes.text(x + 0.05, place, shown, size=7, color=INK, va="center_baseline", bbox=box, zorder=4)


def _draw_importance(axes: Axes, found: Importance, names: int) -> None:
    axes.set(xlim=(-0.35, names + 0.35), xticks=[])
    axes.grid(axis="x", visible=False)
    axes.spines["bottom"].set_visible(False)
    if found.nothing:
        axes.set(yticks=[])
        axes.spines["left"].set_visible(False)
        text = "importance: the forests explain nothing here; which hyperparameter matters cannot be told"
        axes.text(0, 0.5, text, transform=axes.transAxes, color=MUTED)
        return
    means = np.array([100 * mean for mean, _ in found.shares.values()])
    spreads = np.array([100 * spread for _, spread in found.shares.values()])
    places = np.arange(names)
    axes.bar(places, np.maximum(means, 0), 0.34, color=VALIDATION, alpha=0.85, zorder=2)
    axes.vlines(places, means - spreads, means + spreads, INK, linewidth=1.2, zorder=3)
    top = max(float((means + spreads).max()), 5.0) * 1.1
    axes.set(ylim=(min(float((means - spreads).min()), 0.0), top))
    axes.axhline(0, color=EDGE, linewidth=0.8)
    axes.set_title(
        "importance, % ± SD: of the differences in log loss, what forests no longer predict once its values are "
        f"shuffled; they predict {100 * found.explained:.0f} %", size=8.5, color=MUTED,
    )  # fmt: skip


def _loss_axis(losses: Sequence[float]) -> Scale:
    low, high = min(losses), max(losses)
    if not low > 0 or not high > 1.05 * low:
        return Scale([0.5 if high == low else (each - low) / (high - low) for each in losses], [], even=False)
    ticks = log_ticks(low, high)
    places = (np.log(np.array([*losses, *ticks]) / low) / np.log(high / low)).tolist()
    return Scale(
        places[: len(losses)], [(p, f"{t:g}") for p, t in zip(places[len(losses) :], ticks, strict=True)], False
    )


def _by_place(places: Sequence[float]) -> list[Any]:
    """A colour for each loss by its place on the axis, the lowest ones dark."""
    shades = pale_to_dark(SHADES)
    return [shades[min(int((1 - place) * SHADES), SHADES - 1)] for place in places]


def _wrapped(name: str) -> str:
    """A name in short lines, broken after its underscores."""
    return re.sub(r"_(?=.)", "_\n", name)
