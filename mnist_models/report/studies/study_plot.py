"""The plot of a study: how its trials learned, the best so far, and what each hyperparameter did."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_models.report.drawing import INK, STYLE, TEST, VALIDATION, WIDTH, header, loss_scale, panel
from mnist_models.report.run import StageResult
from mnist_models.report.studies.anytime import draw_anytime
from mnist_models.report.studies.learning_curves import draw_curves
from mnist_models.report.studies.outcomes import Outcomes, loss, outcomes
from mnist_models.report.studies.values import draw_values
from mnist_models.report.words import title

LEFT, RIGHT = 0.75, 0.3  # inches beside the panels
COLUMNS, MORE_COLUMNS = 4, 5  # of strips; the latter from the third row on
MOST_HANDLES = 4  # of amounts of training, in the legend


def study(stage: StageResult) -> Figure:
    """Draws how a study's trials learned, the best loss so far, and losses by the value of each hyperparameter.

    Trials are darker the further they were trained. The lower panels leave out trials that others continued; a bar is
    the median of its value. Losses above six times the median are triangles at that height: a few trials that diverged
    would flatten all others.
    """
    seen = outcomes(stage)
    names = list(dict.fromkeys(name for trial in seen.finished for name in trial.values))
    columns = min(len(names), COLUMNS if len(names) <= 2 * COLUMNS else MORE_COLUMNS)
    rows = math.ceil(len(names) / columns) if names else 0
    losses = [loss(trial) for trial in seen.finished]
    with matplotlib.rc_context(STYLE):
        height = 3.65 + 1.62 * rows
        figure = Figure(figsize=(WIDTH, height))
        curves = panel(figure, LEFT, height - 3.05, 5.3, 2.35)
        anytime = panel(figure, LEFT + 5.55, height - 3.05, WIDTH - LEFT - RIGHT - 5.55, 2.35)
        for axes in (curves, anytime):
            loss_scale(axes, losses)
        draw_curves(curves, seen)
        draw_anytime(anytime, seen)
        anytime.tick_params(axis="y", labelleft=False)
        for row in range(rows):
            axes = panel(figure, LEFT, height - 4.9 - 1.62 * row, WIDTH - LEFT - RIGHT, 1.08)
            loss_scale(axes, losses)
            some = names[row * columns : (row + 1) * columns]
            draw_values(axes, some, columns, WIDTH - LEFT - RIGHT, seen)
        header(figure, f"{title(stage.name)}: {len(stage.trials)} trials", _handles(seen))
    return figure


def _handles(seen: Outcomes) -> list[Artist]:
    handles: list[Artist] = []
    if len(seen.shades) > 1:
        amounts = sorted({seen.amount[trial.number] for trial in seen.trials if trial.failure is None})
        shown = [round(place) for place in np.linspace(0, len(amounts) - 1, min(len(amounts), MOST_HANDLES))]
        words = [f"{amounts[place]:,}" + (f" {seen.unit}" if place == shown[-1] else "") for place in shown]
        handles = [_marker("o", seen.shades[place], text, 5.5) for place, text in zip(shown, words, strict=True)]
    if seen.finished:
        handles += [
            Line2D([], [], color=INK, linewidth=1.1, label="best so far"),
            Line2D([], [], color=TEST, marker="o", markersize=9, linewidth=1.8, fillstyle="none", label="best"),
        ]
    if seen.incumbent is not None and seen.incumbent != seen.winner:
        handles.append(Line2D([], [], color=INK, linewidth=1.4, linestyle=(0, (4, 2)), label="started from"))
    above = sum(seen.above(trial) for trial in seen.finished)
    failed = len(seen.trials) - len(seen.finished)
    triangles = [_marker("^", VALIDATION, f"{above} above {seen.cap:.3g}", 6)] if above else []
    crosses = [_marker("x", TEST, f"{failed} failed", 6)] if failed else []
    return [*handles, *triangles, *crosses]


def _marker(marker: str, colour: Any, label: str, size: float) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, markersize=size, linestyle="", label=label)
