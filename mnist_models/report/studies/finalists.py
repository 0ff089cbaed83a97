"""How sure the end of a study is: the losses of its finalists, each with its interval."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_models.report.drawing import BAND, INK, MUTED, STYLE, VALIDATION, WIDTH, header, panel
from mnist_models.report.words import decimal, title
from mnist_models.search.trials import Decision, Finalist

ROW = 0.34  # inches
LEFT, RIGHT = 2.6, 2.9  # inches beside the dots


def finalists(name: str, decision: Decision) -> Figure:
    """Draws the validation loss of each finalist of a study with its 95 % interval, the lowest first."""
    height = ROW * len(decision.finalists)
    ends = [end for finalist in decision.finalists for end in finalist.interval]
    room = 0.06 * (max(ends) - min(ends)) or 0.01
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.25 + height))
        axes = panel(figure, LEFT, 0.6, WIDTH - LEFT - RIGHT, height)
        axes.set(xlim=(min(ends) - room, max(ends) + room), ylim=(len(decision.finalists) - 0.5, -0.5), yticks=[])
        axes.set_xlabel("validation loss, nats")
        axes.spines["left"].set_visible(False)
        for row, finalist in enumerate(decision.finalists):
            _draw_row(axes, row, finalist, decision)
        handles = [Line2D([], [], color=VALIDATION, marker="o", label="validation loss, 95 % interval")]
        header(figure, f"{title(name)}: finalists", handles)
    return figure


def standing(number: int, decision: Decision) -> str:
    """What a finalist is besides its number: "best", "what it started from", both or neither."""
    said = ["best"] if number == decision.winner else []
    return ", ".join(said + (["what it started from"] if number == decision.incumbent else []))


def _draw_row(axes: Axes, row: int, finalist: Finalist, decision: Decision) -> None:
    stays = finalist.trial == (
        decision.winner if decision.replaced or decision.incumbent is None else decision.incumbent
    )
    if stays:
        axes.axhspan(row - 0.5, row + 0.5, xmin=-2, xmax=2, color=BAND, linewidth=0, zorder=0, clip_on=False)
    axes.plot(finalist.interval, [row, row], color=VALIDATION, linewidth=2.2, alpha=0.45)
    axes.plot(finalist.val_loss, row, "o", color=VALIDATION, markersize=7)
    said = standing(finalist.trial, decision)
    name = f"trial {finalist.trial}" + (f" · {said}" if said else "")
    seeds = f"{finalist.seeds} seed{'s' if finalist.seeds != 1 else ''}"
    low, high = finalist.interval
    weight = "bold" if stays else "normal"
    axes.text(
        -2.3 / (WIDTH - LEFT - RIGHT),
        row,
        name,
        transform=axes.get_yaxis_transform(),
        va="center_baseline",
        weight=weight,
    )
    for inches, text, colour in (
        (0.7, decimal(finalist.val_loss), VALIDATION),
        (2.0, f"{decimal(low)} to {decimal(high)}", MUTED),
        (2.6, seeds, INK),
    ):
        place = 1 + inches / (WIDTH - LEFT - RIGHT)
        style: dict[str, Any] = {"ha": "right", "va": "center_baseline", "color": colour}
        axes.text(place, row, text, transform=axes.get_yaxis_transform(), **style)
