"""A run's figures for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_models.export.form import ExportedForm
from mnist_models.report.run import Run, StageResult
from mnist_models.search.trials import Trial

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
        "exports": [_export_metrics(form) for form in run.exports],
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


def _export_metrics(form: ExportedForm) -> dict[str, Any]:
    return {**form.model_dump(mode="json", exclude={"key", "seal", "files", "path"}), "size": form.size}


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
