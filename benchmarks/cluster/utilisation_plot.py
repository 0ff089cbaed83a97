"""How busy the workers of a cluster are, by their number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mnist_models.report.drawing import INK, MUTED, STYLE, TEST, VALIDATION


def plot(busy: Mapping[int, float], targets: Mapping[int, float], seconds: float, path: Path) -> None:
    """Draws utilisation, %, by number of workers, and what is asked for.

    Args:
        busy: Measured, by number of workers.
        targets: Likewise.
        seconds: That a trial takes.
        path: Of the PNG file.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 2.9), layout="constrained")
        axes = figure.subplots()
        axes.plot(list(busy), list(busy.values()), color=VALIDATION, marker="o", markersize=4, linewidth=1.6)
        for count, value in busy.items():
            axes.annotate(f"{value:.1f}", (count, value), (0, 6), textcoords="offset points", ha="center", color=INK)
        known = {count: target for count, target in targets.items() if count in busy}
        axes.scatter(list(known), list(known.values()), color=TEST, marker="_", s=220, label="asked for")
        axes.set(xscale="log", ylim=(80, 102), xlabel="workers", ylabel="utilisation, %")
        axes.set_xticks(list(busy), [str(count) for count in busy])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(f"trials of {seconds:g} s that sleep, two cores for all", loc="left", color=MUTED)
        axes.legend(loc="lower left")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
