"""The table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mnist_models.report.run import Run, StageResult
from mnist_models.report.words import duration
from running.live import hide


def print_summary(run: Run, report: Path, store_size: int) -> None:
    """Prints all stages, the test result, where the report is, and the size of the store in bytes."""
    hide(clear=True)
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    for name in ("train %", "val %", "val loss", "epoch", "trials", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in run.stages:
        table.add_row(*_row(stage), style="bold" if stage.name == run.final.stage else "")
    console.print(table)
    details = Table(box=None, show_header=False, pad_edge=False)
    for stage in run.stages:
        details.add_row(stage.name, _hyperparameters(stage), style="bold" if stage.name == run.final.stage else "")
    console.print(details)
    console.print()
    ensemble = run.final.ensemble
    low, high = ensemble.wilson_95
    for member in run.final.members:
        console.print(
            f"seed {member.seed}: {100 * member.test_accuracy:.2f} % on the test set, loss {member.test_loss:.4f}"
        )
    console.print(
        f"[bold]Test accuracy {100 * ensemble.test_accuracy:.2f} %[/] "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %, {run.final.test_images:,} images): "
        f"{run.final.stage}, {len(run.final.members)} seeds averaged, loss {ensemble.test_loss:.4f}"
    )
    used = f"{store_size / 1e6:,.0f} MB in the store"
    console.print(f"{duration(run.seconds)} · {used} · report: {report}", soft_wrap=True)


def _row(stage: StageResult) -> list[str]:
    model = stage.model
    return [
        stage.name,
        _percent(model.metric("accuracy")),
        _percent(model.metric("val_accuracy")),
        f"{model.metric('val_loss') or float('nan'):.4f}",
        f"{model.best_epoch}/{model.epochs}",
        str(len(stage.trials) or ""),
        duration(stage.seconds),
    ]


def _hyperparameters(stage: StageResult) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in stage.hyperparameters.items() if value != 0)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
