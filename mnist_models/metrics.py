"""A run's figures: for programs, as JSON and CSV, and for people, as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_models.run import Run
from mnist_models.study import StageResult, Trial

NONE = "–"
PROPER_NAMES = {"cnn": "CNN", "hyperband": "Hyperband", "bayesian": "Bayesian"}
NARROW_SPACE = "\u202f"
TRIAL_COLUMNS = ("epochs", "best_epoch", "val_loss", "val_accuracy", "train_accuracy", "seconds", "failure")


def metrics(run: Run, environment: Mapping[str, str], code_fingerprint: str) -> dict[str, Any]:
    """Returns the content of `metrics.json`: every figure of a run, plain values only.

    Args:
        run: The run.
        environment: Versions and machine, by name.
        code_fingerprint: Of the code that computed the results.
    """
    final = run.final
    return {
        "profile": run.settings.profile,
        "seed": run.settings.seed,
        "dataset_fingerprint": run.dataset.fingerprint,
        "code_fingerprint": code_fingerprint,
        "environment": dict(environment),
        "stages": [_stage_metrics(stage) for stage in run.stages],
        "final": {
            "stage": final.stage,
            "members": [member.model_dump(include={"seed", "test_accuracy", "test_loss"}) for member in final.members],
            "ensemble": final.ensemble.model_dump(mode="json"),
            "confusion_matrix": [list(row) for row in final.confusion_matrix],
        },
        "seconds": run.seconds,
    }


def metrics_json(content: Mapping[str, Any]) -> bytes:
    """Returns strict JSON, indented, in UTF-8.

    Raises:
        ValueError: If a figure is not finite.
    """
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def trials_csv(trials: Sequence[Trial]) -> bytes:
    """Returns a table of trials, one row each in the order asked; what does not apply is left empty."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["number", "parent", *names, *TRIAL_COLUMNS], lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        writer.writerow({**trial.model_dump(exclude={"values"}), **trial.values})
    return buffer.getvalue().encode()


def title(name: str) -> str:
    """Returns a stage's name as people write it: "cnn_learning_rate" is "CNN learning rate"."""
    words = " ".join(PROPER_NAMES.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def percent(share: float | None, digits: int = 2) -> str:
    """Returns a share as a percentage, or a dash for None."""
    return NONE if share is None else f"{100 * share:.{digits}f}{NARROW_SPACE}%"


def decimal(value: float | None, digits: int = 4) -> str:
    """Returns a number with so many decimals, or a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Returns a time in the two units that matter: "4.2 s", "3 min 20 s", "1 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f}{NARROW_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}{NARROW_SPACE}s"
    if minutes < 60:
        return f"{minutes}{NARROW_SPACE}min {rest:02d}{NARROW_SPACE}s"
    return f"{minutes // 60}{NARROW_SPACE}h {minutes % 60:02d}{NARROW_SPACE}min"


def _stage_metrics(stage: StageResult) -> dict[str, Any]:
    model = stage.model
    return {
        "name": stage.name,
        "val_accuracy": model.metric("val_accuracy"),
        "val_loss": model.metric("val_loss"),
        "train_accuracy": model.metric("accuracy"),
        "best_epoch": model.best_epoch,
        "epochs": model.epochs,
        "seconds": stage.seconds,
        "trials": len(stage.trials),
        "hyperparameters": stage.hyperparameters,
        "cached": stage.cached,
    }
