"""The report of a run: figures for programs, tables and plots, and one page that holds them all."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.evaluation import FinalResult, wilson_interval
from mnist_models.metrics import decimal, duration, metrics, metrics_json, percent, title, trials_csv
from mnist_models.pictures import pictures
from mnist_models.store import write_atomic
from mnist_models.study import StageResult, Trial
from mnist_models.training import TrainingResult

TEMPLATE = "report.html.jinja"
BEST_TRIALS = 10


def write_report(
    folder: Path,
    *,
    run_name: str,
    settings: Settings,
    dataset: DatasetReference,
    stages: list[StageResult],
    final: FinalResult,
    final_models: list[TrainingResult],
    mistake_images: np.ndarray,
    environment: dict[str, str],
    seconds: float,
    code_fingerprint: str,
    kept_pictures: Path | None = None,
) -> Path:
    """Writes `metrics.json`, `trials/<study>.csv`, `plots/*.png` and `report.html`, each atomically, the page last.

    Args:
        folder: Of the run; made if it is not there.
        run_name: For people.
        settings: Of the run.
        dataset: What it trained on.
        stages: In the order of the pipeline.
        final: The judgement on the test set.
        final_models: The members of the final ensemble.
        mistake_images: uint8 [n, height, width, 1 or 3]: the first test images of `final.mistakes`, in their order.
        environment: Versions and machine, by name.
        seconds: From the run's begin to its end.
        code_fingerprint: Of the code that computed the results.
        kept_pictures: A file that keeps the plots for a run with the same results.

    Returns:
        The path of `report.html`, one file that needs no other.
    """
    content = metrics(
        settings=settings,
        dataset=dataset,
        stages=stages,
        final=final,
        environment=environment,
        seconds=seconds,
        code_fingerprint=code_fingerprint,
    )
    write_atomic(folder / "metrics.json", metrics_json(content))
    for stage in stages:
        if stage.trials:
            write_atomic(folder / "trials" / f"{stage.name}.csv", trials_csv(stage.trials))
    embedded: dict[str, str] = {}
    for name, image in pictures(stages, final, dataset, mistake_images, kept_pictures).items():
        write_atomic(folder / "plots" / f"{name}.png", image)
        embedded[name] = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    page = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            run_name=run_name,
            settings=settings.model_dump(mode="json"),
            dataset=dataset,
            stages=stages,
            final=final,
            final_models=final_models,
            spread=_spread([member.test_accuracy for member in final.members]),
            environment=environment,
            seconds=seconds,
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
