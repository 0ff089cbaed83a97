"""What a study had found at any time: its best loss so far against the workers' time."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes

from mnist_models.report.drawing import INK, TEST
from mnist_models.report.studies.outcomes import Outcomes, loss, own_seconds

UNITS = (("worker-seconds", 1), ("worker-minutes", 60), ("worker-hours", 3600))
MOST_UNITS = 600  # on one axis; beyond, the next unit is easier to read


def draw_anytime(axes: Axes, seen: Outcomes) -> None:
    """Draws each trial when it was told, and the best loss until then; a line is what the search started from."""
    by_number = {trial.number: trial for trial in seen.trials}
    spent = list(itertools.accumulate(own_seconds(trial, by_number) for trial in seen.trials))
    total = spent[-1] if spent and spent[-1] > 0 else 1.0
    unit, seconds = next((unit for unit in UNITS if total <= MOST_UNITS * unit[1]), UNITS[-1])
    told = {trial.number: when / seconds for trial, when in zip(seen.trials, spent, strict=True)}
    last = total / seconds
    draw_trials(axes, [told[trial.number] for trial in seen.finished], seen, 26 if len(told) <= 100 else 14)
    if seen.finished:
        lowest = np.minimum.accumulate([loss(trial) for trial in seen.finished])
        times = [told[trial.number] for trial in seen.finished]
        axes.step([*times, last], [*lowest, lowest[-1]], where="post", color=INK, linewidth=1.2, zorder=2.5)
    for trial in seen.finished:
        if trial.number == seen.winner:
            axes.plot(told[trial.number], loss(trial), "o", ms=10, mfc="none", color=TEST, mew=1.6, zorder=5)
        elif trial.number == seen.incumbent:
            axes.axhline(loss(trial), color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=2)
    failed = [told[trial.number] for trial in seen.trials if trial.failure is not None]
    axes.plot(failed, [0.97] * len(failed), "x", color=TEST, transform=axes.get_xaxis_transform(), markeredgewidth=1.6)
    axes.set(xlim=(-0.03 * last, 1.03 * last), xlabel=unit, title="by time spent")


def draw_trials(axes: Axes, x: list[float], seen: Outcomes, size: float, trials: list[int] | None = None) -> None:
    """Draws the losses of finished trials: dots, and triangles where a loss lies above the cap.

    Args:
        axes: Where.
        x: Where each lies.
        seen: The study's trials.
        size: Of a dot, in square points.
        trials: Their numbers, as many as `x`; None for all.
    """
    by_number = {trial.number: trial for trial in seen.finished}
    drawn = seen.finished if trials is None else [by_number[number] for number in trials]
    for marker, above in (("o", False), ("^", True)):
        some = [(place, loss(t), seen.shade(t)) for place, t in zip(x, drawn, strict=True) if seen.above(t) == above]
        if some:
            places, losses, shades = zip(*some, strict=True)
            axes.scatter(places, losses, s=size, c=shades, marker=marker, linewidths=0, alpha=0.9, zorder=3)
