"""What Prefect says of champions: an event for each step, and an artifact with the figures it rests on."""

from __future__ import annotations

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.events import emit_event

from mnist_models.champion.gate import Decision, describe
from mnist_models.champion.record import Champion, Figures
from mnist_models.report.run import Promotion
from mnist_models.report.words import percent
from tasks.artifacts import show_markdown
from tasks.sending import send


def tell(promotion: Promotion, run: str) -> None:
    """Says what became of a run's model at the gate."""
    _emit(promotion.outcome.replace(" ", "-"), promotion.name, promotion.reason, run, promotion.champion)
    show_markdown(f"champion-{promotion.name}".lower(), page_of(promotion), f"{promotion.outcome}: {promotion.reason}")


def tell_rollback(client: SyncPrefectClient, name: str, champion: Champion, reason: str) -> None:
    """Says that an earlier champion is back, outside of any run."""
    _emit_now("rolled-back", name, reason, champion.run, champion)
    text = f"# Rolled back\n\n{reason}. The champion is the model of `{champion.run}`, promoted {champion.promoted_at}."
    client.create_artifact(
        ArtifactCreate(key=f"champion-{name}".lower(), type="markdown", data=text, description=f"rolled back: {reason}")
    )


def page_of(promotion: Promotion) -> str:
    """The artifact of a promotion, as Markdown."""
    champion = promotion.champion
    parts = [f"# {promotion.outcome.capitalize()}", promotion.reason[:1].upper() + promotion.reason[1:] + "."]
    if promotion.decision:
        parts += _figures(promotion.decision)
    if champion:
        parts.append(
            f"The champion is the model of `{champion.run}` ({champion.stage}), promoted {champion.promoted_at}: "
            f"`{champion.model.path}`."
        )
    parts.append(f"The gate has compared models {promotion.readings} times; docs/serving.md says what that costs.")
    return "\n\n".join(parts)


def _figures(decision: Decision) -> list[str]:
    columns = {"this model": decision.challenger}
    if decision.champion:
        columns["champion"] = decision.champion
    rows = [
        f"| on {decision.challenger.images:,} images | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    rows += [
        f"| {name} | " + " | ".join(_cell(name, figures) for figures in columns.values()) + " |"
        for name in ("accuracy", "loss", "calibration error", "one image", "file")
    ]
    pairs = {"champion": decision.with_champion, "the champion's anchor": decision.with_anchor}
    lines = [f"Accuracy less that of {name}: {describe(paired)}." for name, paired in pairs.items() if paired]
    return ["\n".join(rows), *lines]


def _cell(name: str, figures: Figures) -> str:
    return {
        "accuracy": percent(figures.accuracy),
        "loss": f"{figures.loss:.4f}",
        "calibration error": percent(figures.calibration_error),
        "one image": f"{figures.milliseconds:.2f} ms",
        "file": f"{figures.size / 1e6:.2f} MB",
    }[name]


def _emit(step: str, name: str, reason: str, run: str, champion: Champion | None) -> None:
    send(lambda client: _emit_now(step, name, reason, run, champion))


def _emit_now(step: str, name: str, reason: str, run: str, champion: Champion | None) -> None:
    emit_event(
        event=f"mnist.champion.{step}",
        resource={"prefect.resource.id": f"mnist.champion.{name}", "prefect.resource.name": f"champion {name}"},
        payload={
            "reason": reason,
            "run": run,
            "champion": champion.run if champion else None,
            "accuracy": champion.figures.accuracy if champion else None,
        },
    )
