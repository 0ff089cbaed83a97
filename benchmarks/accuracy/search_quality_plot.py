"""What each side of `search_quality` would have answered, by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from benchmarks.searches.one_search import SIDES
from mnist_models.report.drawing import INK, STYLE, log_ticks

if TYPE_CHECKING:
    from benchmarks.accuracy.search_quality import Answer

# of SIDES, in their order
COLOURS = ("#d55e00", "#0072b2", "#7b3fa0", "#009e73", "#56b4e9", "#e69f00", "#cc79a7", "#8a6d3b", "#66717d")
FINENESS = 400  # points in time
WIDTH, HEIGHT = 3.6, 2.7  # of one panel, in inches

Cells = Mapping[tuple[str, str], Sequence[Mapping[str, "Sequence[Answer]"]]]


def plot(found: Cells, seconds: Mapping[str, float], folder: Path) -> None:
    """Draws a panel for each data set, for each space in a file of its own, `search_quality_<space>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for space in dict.fromkeys(space for space, _ in found):
        cells = {data: found[other, data] for other, data in found if other == space}
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(WIDTH * len(cells), HEIGHT + 0.9), layout="constrained")
            panels = figure.subplots(1, len(cells), squeeze=False)[0]
            for axes, (data, of_data) in zip(panels, cells.items(), strict=True):
                _draw(axes, of_data, seconds[space])
                axes.set_title(f"{data.replace('_', ' ')} · {space.replace('_', ' ')}", loc="left", color=INK)
            panels[0].set_ylabel("validation loss, trained anew, nats")
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
            figure.savefig(folder / f"search_quality_{space}.png", dpi=120)


def _draw(axes: Axes, cells: Sequence[Mapping[str, Sequence[Answer]]], seconds: float) -> None:
    """Draws each side's mean over seeds, and the seeds' range as a band."""
    times = np.linspace(0, seconds, FINENESS)
    for side in cells[0]:
        colour = COLOURS[SIDES.index(side)]
        curves = np.array([_curve(cell[side], times) for cell in cells])
        axes.plot(times, curves.mean(axis=0), color=colour, label=side, linewidth=1.6, drawstyle="steps-post")
        if len(cells) > 1:
            axes.fill_between(
                times, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.12, step="post", linewidth=0
            )
    axes.set(yscale="log", xlim=(0, seconds), xlabel="seconds of both cores")
    axes.set_yticks(log_ticks(*axes.get_ylim()), minor=False)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _curve(answers: Sequence[Answer], times: np.ndarray) -> np.ndarray:
    """The answer at each time; nothing before there is one."""
    losses = np.full(len(times), np.nan)
    for answer in answers:
        losses[times >= answer.seconds] = answer.anew
    return losses
