"""What Prefect's UI shows of a run besides its states: how each study is doing, its leaderboard, and the report."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext, TaskRunContext

from mnist_models.foundation.store import Store
from mnist_models.inference.answers import Answers
from mnist_models.judging.evaluation import FinalResult
from mnist_models.report.run import StageResult
from mnist_models.report.words import decimal, duration, percent, title
from mnist_models.search.trials import Decision, StudyResult, Trial
from tasks.sending import send

PICTURE_BYTES = 100_000  # a larger one would slow the page down
MOST_ANSWERS = 1_000  # in a table
MOST_TRIALS = 500  # likewise
SECONDS_BETWEEN = 3.0  # between two updates of a study's progress

_shown_on: ContextVar[UUID | None] = ContextVar("shown_on", default=None)


def show_on_this_run() -> None:
    """Has the artifacts of this run's stages appear on its own page, not on those of its subflows."""
    _shown_on.set(_run_ids()["flow_run_id"])


def page() -> dict[str, UUID | None]:
    """The `extra` of a log line that belongs on the same page as the artifacts."""
    return {"flow_run_id": _shown_on.get()}


def tag_run(*tags: str) -> None:
    """Adds tags to the running flow, and not, as Prefect's own way does, to all it starts."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        run, all_tags = context.flow_run.id, sorted({*context.flow_run.tags, *tags})
        send(lambda client: client.update_flow_run(run, tags=all_tags))


def name_task_run(name: str) -> None:
    """Renames the running task run; the name travels with its final state, so this costs nothing."""
    context = TaskRunContext.get()
    if context is not None:
        context.task_run.name = name


class StudyProgress:
    """The progress artifact of a study, updated in place.

    Args:
        study: Its name.
    """

    def __init__(self, study: str) -> None:
        self._key = f"{_key(study)}-progress"
        self._ids = _run_ids()
        self._artifact: UUID | None = None
        self._shown = -SECONDS_BETWEEN

    def show(self, share: float, text: str) -> None:
        """Shows what share of the trials is done, and a line about it; not more often than every few seconds."""
        now = time.monotonic()
        if share < 1 and now - self._shown < SECONDS_BETWEEN:
            return
        self._shown = now
        send(lambda client: self._send(client, round(100 * share, 1), text))

    def _send(self, client: SyncPrefectClient, data: float, text: str) -> None:
        if self._artifact is None:
            artifact = ArtifactCreate(key=self._key, type="progress", data=data, description=text, **self._ids)
            self._artifact = client.create_artifact(artifact).id
        else:
            client.update_artifact(self._artifact, ArtifactUpdate(data=data, description=text))


def show_leaderboard(result: StudyResult, store: Store) -> None:
    """Shows the trials of a study as a table, the best first."""
    best = result.best
    record = store.results / result.key
    text = (
        f"**{title(result.name)}: {len(result.trials)} trials**, best val_loss {decimal(best.val_loss)} "
        f"(trial {best.number}, val_accuracy {percent(best.val_accuracy)}) · {_link(record, 'record')}"
    )
    if result.decision:
        text += "\n\n" + _decision(result.decision)
    if len(result.trials) > MOST_TRIALS:
        text += f"\n\nThe best {MOST_TRIALS} are shown; the record and the run's `trials/{result.name}.csv` have all."
    _create("table", f"{_key(result.name)}-trials", leaderboard(result.trials), text)


def leaderboard(trials: Sequence[Trial]) -> list[dict[str, str]]:
    """Returns the rows of a table of the best trials, the best first and those that failed last."""
    ranked = sorted(trials, key=lambda trial: (trial.val_loss is None, trial.val_loss or 0, trial.number))
    ranked = ranked[:MOST_TRIALS]
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    failed = any(trial.failure for trial in trials)
    rungs = any(trial.fate for trial in trials)
    return [
        {
            "rank": str(rank),
            "trial": str(trial.number),
            "val_loss": decimal(trial.val_loss),
            "val_accuracy": percent(trial.val_accuracy),
            **({"rung": str(trial.rung + 1), "images": f"{trial.images:,}", "fate": trial.fate} if rungs else {}),
            **{name: _plain(trial.values.get(name)) for name in names},
            "epochs": str(trial.epochs),
            "time": duration(trial.seconds),
            **({"failure": trial.failure or ""} if failed else {}),
        }
        for rank, trial in enumerate(ranked, start=1)
    ]


def show_report(folder: Path, stages: Sequence[StageResult], final: FinalResult) -> None:
    """Shows a run's report: the result, all stages, and the pictures that tell most; with links to all files.

    Args:
        folder: Of the run, with the plots in it.
        stages: In the order of the pipeline.
        final: The judgement on the test set.
    """
    ensemble = final.ensemble
    low, high = (f"{100 * end:.2f}" for end in ensemble.wilson_95)
    names = ["comparison", f"training_{final.stage}", "confusion_matrix", "reliability", "curves", "mistakes"]
    names += [f"hyperparameters_{final.stage}"]
    names += [f"{kind}_{stage.name}" for stage in stages for kind in ("finalists", "study")]
    parts = [
        f"# Test accuracy {percent(ensemble.test_accuracy)}",
        f"95 % interval {low} to {high} %, {final.test_images:,} images. `{final.stage}`, the average of "
        f"{len(final.members)} seeds; by themselves they reach "
        + ", ".join(percent(member.test_accuracy) for member in final.members)
        + ".",
        _quality(final),
        _stage_table(stages, final.stage),
        *(f"`{s.name}`: {_decision(s.decision, s.started_from)}" for s in stages if s.decision),
        *(picture for name in names if (picture := _picture(folder / "plots" / f"{name}.png", name))),
        "## Files",
        f"In `{folder}`, on the machine that ran it:",
        "\n".join(f"- {_link(folder / name, name)}: {what}" for name, what in _files(stages).items()),
    ]
    _create("markdown", "report", "\n\n".join(parts), f"Test accuracy {percent(ensemble.test_accuracy)}, {final.stage}")


def show_answers(answers: Answers) -> None:
    """Shows what a model says of pictures as a table."""
    rows = [{**one.model_dump(), "probability": percent(one.probability)} for one in answers.answers[:MOST_ANSWERS]]
    shown = "" if len(rows) == len(answers.answers) else f", the first {len(rows)} of them"
    _create("table", "answers", rows, f"**{len(answers.answers)} pictures**, answered by {answers.model}{shown}")


def _quality(final: FinalResult) -> str:
    quality = final.quality
    figures = [
        f"balanced accuracy {percent(quality.balanced_accuracy)}",
        f"macro F1 {percent(quality.macro_f1)}",
        f"expected calibration error {percent(quality.calibration.ece)}",
    ]
    if quality.first:
        figures.append(f"among the first {quality.first.guesses} {percent(quality.first.accuracy)}")
    if quality.curves:
        figures.append(f"area under the ROC curve {decimal(quality.curves.roc_auc)}")
    if final.without_suspects:
        accuracy = percent(final.without_suspects.test_accuracy)
        figures.append(f"{accuracy} without {final.set_aside} labels that are probably wrong")
    text = " · ".join(figures)
    return text[:1].upper() + text[1:]


def show_markdown(key: str, text: str, description: str) -> None:
    """Shows a text on the run's page."""
    _create("markdown", _key(key), text, description)


def _stage_table(stages: Sequence[StageResult], chosen: str) -> str:
    rows = ["| stage | val_accuracy | val_loss | trials | training |", "|---|---:|---:|---:|---:|"]
    for stage in stages:
        name = f"**{stage.name}**" if stage.name == chosen else stage.name
        accuracy, loss = percent(stage.model.metric("val_accuracy")), decimal(stage.model.metric("val_loss"))
        rows.append(f"| {name} | {accuracy} | {loss} | {len(stage.trials) or ''} | {duration(stage.seconds)} |")
    return "\n".join(rows)


def _decision(decision: Decision, started_from: str | None = None) -> str:
    """The end of a study as markdown: in words, and its finalists."""
    rows = ["| finalist | val_loss | 95 % interval | seeds |", "|---:|---:|---:|---:|"]
    for finalist in decision.finalists:
        low, high = map(decimal, finalist.interval)
        rows.append(f"| {finalist.trial} | {decimal(finalist.val_loss)} | {low} to {high} | {finalist.seeds} |")
    start = f" The search started from `{started_from}`." if started_from else ""
    return "\n\n".join([decision.words + start, "\n".join(rows)])


def _picture(path: Path, name: str) -> str:
    if not path.is_file() or path.stat().st_size > PICTURE_BYTES:
        return ""
    return f"![{name}](data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()})"


def _files(stages: Sequence[StageResult]) -> dict[str, str]:
    return {
        "report.html": "the whole report on one page",
        "metrics.json": "all figures, for programs",
        "labels.csv": "labels that are probably wrong",
        "model.keras": "the final ensemble, for plain Keras",
        **{f"trials/{stage.name}.csv": f"{len(stage.trials)} trials" for stage in stages if stage.trials},
    }


def _link(path: Path, text: str) -> str:
    return f"[{text}]({path.as_uri()})"


def _create(kind: str, key: str, data: Any, description: str) -> None:
    artifact = ArtifactCreate(key=key, type=kind, data=data, description=description, **_run_ids())
    send(lambda client: client.create_artifact(artifact))


def _run_ids() -> dict[str, UUID | None]:
    """The runs on whose pages an artifact appears."""
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    own = flow.flow_run.id if flow and flow.flow_run else task.task_run.flow_run_id if task else None
    return {"flow_run_id": _shown_on.get() or own, "task_run_id": task.task_run.id if task else None}


def _key(name: str) -> str:
    return name.replace("_", "-")


def _plain(value: float | str | None) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
