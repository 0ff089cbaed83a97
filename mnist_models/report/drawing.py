"""How figures look, and how they become pictures: made without pyplot, which would keep every figure alive.

Losses and accuracies span decades: losses are drawn on a logarithmic axis, accuracies as error rates on one, labelled
as accuracies, so that 98 % and 99 % are as far apart as 99 % and 99.5 %: half the mistakes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from PIL import Image

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


def render(figure: Figure, colours: int = 256) -> bytes:
    """Draws a figure as PNG; the same figure gives the same bytes, of which fewer colours need fewer."""
    with matplotlib.rc_context(STYLE):  # ticks are made, and read their style, only when drawn
        figure.set_dpi(DENSITY)
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    palette = Image.fromarray(np.ascontiguousarray(pixels)).quantize(colours, method=Image.Quantize.FASTOCTREE)
    file = io.BytesIO()
    palette.save(file, "PNG")  # so few colours take a third of the size of true ones
    return file.getvalue()


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches: cheaper than any automatic layout, and always the same."""
    w, h = figure.get_size_inches()
    axes = figure.add_axes((left / w, bottom / h, width / w, height / h))
    axes.xaxis.set_label_coords(0.5, -0.27 / height)
    axes.yaxis.set_label_coords(-0.38 / width, 0.5)
    return axes


def header(figure: Figure, text: str, handles: Sequence[Artist]) -> None:
    """Writes a figure's title on the left and its legend on the right."""
    width, height = figure.get_size_inches()
    figure.text(0.3 / width, 1 - 0.18 / height, text, size=11, weight="bold", va="top")
    if handles:
        anchor = (1 - 0.2 / width, 1 - 0.16 / height)
        figure.legend(handles=handles, loc="upper right", bbox_to_anchor=anchor, ncols=len(handles), borderaxespad=0)


def log_ticks(low: float, high: float, dense: float = 1.0) -> list[float]:
    """Returns round numbers for a logarithmic axis: five in a decade where it spans less than `dense` decades."""
    decades = math.log10(high / low)
    mantissas = (1, 2, 3, 5, 7) if decades < dense else (1, 2, 5) if decades < 3 * dense else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1, math.ceil(decades / 7))
    return [tick for e in exponents for m in mantissas if low <= (tick := float(f"{m}e{e}")) <= high]


def loss_scale(axes: Axes, losses: Sequence[float]) -> float:
    """Makes a logarithmic axis where losses differ by much."""
    if not losses:
        axes.set_yticks([])
        return 0.0
    low, high = min(losses), max(losses)
    if low > 0 and high > 2.5 * low:
        ticks = log_ticks(low / 1.2, high * 1.2)
        axes.set(yscale="log", ylim=(low / 1.2, high * 1.2), yticks=ticks, yticklabels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        room = max(0.08 * (high - low), 0.02 * abs(high)) or 0.05
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:.6g}"))
    return low


def accuracy_scale(axes: Axes, axis: Literal["x", "y"], accuracies: Iterable[float]) -> float:
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
    ticks = log_ticks(1.4 * floor if none else best, min(worst, 1), 1.4 if axis == "x" else 1.0)
    labels = [f"{100 * (1 - tick):.10g}" for tick in ticks]
    if none:
        ticks, labels = [*ticks, floor], [*labels, "100"]
    axes.set(**{f"{axis}scale": "log", f"{axis}lim": (worst, best), f"{axis}ticks": ticks, f"{axis}ticklabels": labels})
    axes.minorticks_off()
    return floor
