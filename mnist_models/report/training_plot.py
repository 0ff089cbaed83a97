"""The plot of a training: what its epochs came to, and which was kept."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mnist_models.report.drawing import (
    DOTTED,
    INK,
    MUTED,
    STYLE,
    TRAIN,
    VALIDATION,
    WIDTH,
    accuracy_scale,
    header,
    loss_scale,
    panel,
)
from mnist_models.report.run import StageResult
from mnist_models.report.words import title
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import CURVE_IMAGES


def training_curves(stage: StageResult) -> Figure:
    """Draws loss and accuracy over the epochs of a stage's model, with the epoch whose weights it kept.

    Both losses are plain cross-entropies. What was done to the model after its last epoch changes its last validation
    only, which may be the only one on all images: that is a ring beside the curve, for it does not compare with the
    epochs before, nor with training.
    """
    history, best, finish = stage.model.history, stage.model.best_epoch, _finish(stage.model)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.4))
        for column, name in enumerate(("loss", "accuracy")):
            axes = panel(figure, 0.75 + 4.85 * column, 0.5, 4.2, 2.2)
            axes.set(title="cross-entropy, nats" if name == "loss" else "accuracy, %", xlabel="epoch")
            curves = {"train": history.get(name, ()), "validation": history.get(f"val_{name}", ())}
            values = [value for curve in curves.values() for value in curve]
            if not values:
                axes.text(0.5, 0.5, "no epoch was finished", transform=axes.transAxes, ha="center", color=MUTED)
            floor = loss_scale(axes, values) if name == "loss" else accuracy_scale(axes, "y", values)
            for label, curve in curves.items():
                drawn = np.asarray(curve) if name == "loss" else np.maximum(1 - np.asarray(curve), floor)
                epochs = np.arange(stage.model.epochs - len(drawn), stage.model.epochs) + 1  # maybe only the last
                if label == "validation" and finish:
                    _ring(axes, epochs[-1:], drawn[-1:])
                    epochs, drawn = epochs[:-1], drawn[:-1]
                _curve(axes, epochs, drawn, best, VALIDATION if label == "validation" else TRAIN)
            if values and best:
                axes.axvline(best, color=INK, linewidth=0.8, linestyle=DOTTED, zorder=1)
            axes.set_xlim(0.5, max(stage.model.epochs, 1) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        header(figure, f"{title(stage.name)}: training curves", _curve_handles(stage.model, finish))
    return figure


def _curve_handles(model: TrainingResult, finish: str) -> list[Artist]:
    partly = finish and not model.spec.compares_epochs and len(model.history["val_loss"]) > 1
    validation = f"validation (≤ {CURVE_IMAGES:,})" if partly else "validation"
    handles: list[Artist] = [
        Line2D([], [], color=colour, linewidth=2, label=label)
        for label, colour, name in ((validation, VALIDATION, "val_loss"), ("train", TRAIN, "loss"))
        if model.history.get(name)
    ]
    if finish:
        style: dict[str, Any] = {"marker": "o", "markersize": 6.5, "markeredgewidth": 1.6, "fillstyle": "none"}
        handles.insert(1, Line2D([], [], color=VALIDATION, linestyle="", label=f"finished: {finish}", **style))
    if model.best_epoch:
        label = f"kept: epoch {model.best_epoch}"
        handles.append(Line2D([], [], color=INK, linewidth=0.8, linestyle=DOTTED, label=label))
    return handles


def _finish(model: TrainingResult) -> str:
    """What was done to a model after its last epoch and before the last validation, in words; "" for nothing."""
    spec = model.spec
    if model.epochs < spec.epochs or not model.history.get("val_loss"):
        return ""
    done = {
        "recalibrated": spec.recalibrate,
        "calibrated": spec.calibrate,
        "all views": not spec.compares_epochs and spec.hyperparameters.get("views", "one") != "one",
    }
    first_on_all_images = not spec.compares_epochs and spec.validation == "every" and spec.epochs > 1
    words = ", ".join(words for words, applies in done.items() if applies)
    return words or ("all images" if first_on_all_images else "")


def _curve(axes: Axes, epochs: np.ndarray, values: np.ndarray, best: int, colour: str) -> None:
    axes.plot(epochs, values, color=colour, linewidth=2, marker="o" if len(values) == 1 else None)
    kept = epochs == best
    axes.plot(epochs[kept], values[kept], "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)


def _ring(axes: Axes, epochs: np.ndarray, values: np.ndarray) -> None:
    axes.plot(epochs, values, "o", color=VALIDATION, ms=7, markerfacecolor="white", markeredgewidth=1.6, zorder=4)
