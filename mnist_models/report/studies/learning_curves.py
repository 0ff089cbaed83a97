"""How the trials of a study learned: validation loss over the images seen, those that went on darker than the rest."""

from __future__ import annotations

import math
import os.path
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from mnist_models.report.drawing import INK, TEST, log_ticks
from mnist_models.report.studies.outcomes import Outcomes, loss
from mnist_models.search.trials import Trial

MOST_MARKS = 6  # ends of rungs on the axis
CLOSE = 0.37  # of logarithms, where two labels would touch


def draw_curves(axes: Axes, seen: Outcomes) -> None:
    """Draws a curve for each combination of values, with a dot where each of its trials ended.

    The height is that of the trials' losses, so a curve may come in from above.
    """
    leaves = sorted(seen.leaves(), key=lambda trial: seen.level[trial.number])
    thin = 0.7 if len(leaves) > 40 else 1.0
    curves = [_curve(seen.lineage(trial.number), seen) for trial in leaves]
    widths = [thin + 0.5 * seen.level[trial.number] for trial in leaves]
    shades = [seen.shade(trial) for trial in leaves]
    axes.add_collection(LineCollection(curves, colors=shades, linewidths=widths, alpha=0.75), autolim=False)
    ends = [(seen.amount[trial.number], loss(trial)) for trial in seen.finished]
    if ends:
        shades = [seen.shade(trial) for trial in seen.finished]
        amounts, losses = zip(*ends, strict=True)
        axes.scatter(amounts, losses, s=9, c=shades, linewidths=0, zorder=3)
    if seen.incumbent != seen.winner:
        axes.plot(
            *_curve(seen.lineage(seen.incumbent), seen).T, color=INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=4
        )
    axes.plot(*_curve(seen.lineage(seen.winner), seen).T, color=TEST, linewidth=1.8, zorder=5)
    axes.set_title("validation loss, nats, by what was seen")
    _amount_scale(axes, seen)


def _curve(lineage: Sequence[Trial], seen: Outcomes) -> np.ndarray:
    """Amounts and losses, float [n, 2], of trials that go on from each other.

    A trial's validations are taken as evenly spread between where it began and where it ended. Its curve may hold
    those of the trial that it continued, as far as it went on from them: a cooldown is each trial's own.
    """
    points, before, begin = [], tuple[float, ...](), 0
    for trial in lineage:
        inherited = len(os.path.commonprefix([before, trial.curve]))
        own = trial.curve[inherited:] or (loss(trial),)
        end = seen.amount[trial.number]
        points += [(begin + (end - begin) * place / len(own), each) for place, each in enumerate(own, start=1)]
        before, begin = trial.curve, end
    return np.array(points, float).reshape(-1, 2)


def _amount_scale(axes: Axes, seen: Outcomes) -> None:
    """Makes the axis of what was seen: logarithmic, as each rung is a multiple of the one before; rungs are marked."""
    ended = sorted({seen.amount[trial.number] for trial in seen.finished if seen.amount[trial.number]}) or [1]
    begins = [seen.amount[trial.number] / len(trial.curve) for trial in seen.finished if trial.curve]
    low = min((begin for begin in begins if begin), default=ended[0])
    high = max(ended[-1], 2 * low)
    marks = ended if len(ended) <= MOST_MARKS else []
    others = [t for t in log_ticks(low / 1.1, high * 1.1, 0.7) if all(abs(math.log(t / m)) > CLOSE for m in marks)]
    ticks = sorted([*marks, *others])
    axes.set(xlabel=f"training {seen.unit} seen", xscale="log", xlim=(low / 1.15, high * 1.15))
    axes.set(xticks=ticks, xticklabels=[f"{tick:,.4g}" if tick < 1e3 else f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
