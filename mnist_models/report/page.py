"""The report of a run: figures for programs, tables and plots, and one page that holds them all."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_models.foundation.files import write_atomic
from mnist_models.judging.scores import wilson_interval
from mnist_models.report.metrics import metrics, metrics_json, trials_csv
from mnist_models.report.pictures import pictures
from mnist_models.report.run import Run
from mnist_models.report.words import decimal, duration, percent, title
from mnist_models.search.trials import Trial

TEMPLATE = "report.html.jinja"
BEST_TRIALS = 10


def write_report(
    folder: Path,
    run: Run,
    *,
    mistake_images: np.ndarray,
    environment: dict[str, str],
    code_fingerprint: str,
    kept_pictures: Path | None = None,
) -> Path:
    """Writes `metrics.json`, `trials/<study>.csv`, `plots/*.png` and `report.html`, each atomically, the page last.

    Args:
        folder: Of the run; made if it is not there.
        run: What to report.
        mistake_images: uint8 [n, height, width, 1 or 3]: the first test images of `run.final.mistakes`, in their order.
        environment: Versions and machine, by name.
        code_fingerprint: Of the code that computed the results.
        kept_pictures: A file that keeps the plots for a run with the same results.

    Returns:
        The path of `report.html`, one file that needs no other.
    """
    write_atomic(folder / "metrics.json", metrics_json(metrics(run, environment, code_fingerprint)))
    for stage in run.stages:
        if stage.trials:
            write_atomic(folder / "trials" / f"{stage.name}.csv", trials_csv(stage.trials))
    embedded: dict[str, str] = {}
    for name, image in pictures(run.stages, run.final, run.dataset, mistake_images, kept_pictures).items():
        write_atomic(folder / "plots" / f"{name}.png", image)
        embedded[name] = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    page = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            run_name=run.name,
            settings=run.settings.model_dump(mode="json", exclude={"mlflow"}),  # whose URI may hold a password
            dataset=run.dataset,
            stages=run.stages,
            final=run.final,
            final_models=run.members,
            spread=_spread([member.test_accuracy for member in run.final.members]),
            environment=environment,
            exports=run.exports,
            promotion=run.promotion,
            seconds=run.seconds,
            code_fingerprint=code_fingerprint,
            pictures=embedded,
        )
    )
    path = folder / "report.html"
    write_atomic(path, page.encode())
    return path


def best_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Returns at most ten trials that did not fail, the lowest validation loss first."""
    finished = [(trial.val_loss, trial) for trial in trials if trial.failure is None and trial.val_loss is not None]
    return [trial for _, trial in sorted(finished, key=lambda pair: (pair[0], pair[1].number))[:BEST_TRIALS]]


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (None for fewer than two) and n."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values) if values else None, "sd": deviation, "n": len(values)}


def _interval(accuracy: float | None, images: int) -> tuple[float, float] | None:
    return None if accuracy is None else wilson_interval(round(accuracy * images), images)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(title=title, percent=percent, decimal=decimal, duration=duration, plain=_plain)
    environment.globals.update(best_trials=best_trials, interval=_interval)
    return environment


def _plain(value: object) -> str:
    """A hyperparameter or setting as people write it."""
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
