"""The task that compares a run's model with the store's champion, and what follows from it."""

from __future__ import annotations

import logging

from prefect import task

from mnist_models.champion.comparison import face_champion
from mnist_models.champion.gate import Decision, Rules, unwanted
from mnist_models.champion.history import now, promote, read_champion, read_history, refuse, taken_back
from mnist_models.champion.record import Champion
from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.pen import measure_pen
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import FileReference, digest
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.export import ExportedModel
from mnist_models.lineage.card import model_card
from mnist_models.report.run import Promotion, Run
from tasks.artifacts import page
from tasks.caching import DURABLE, compute, exclusively
from tasks.champion_events import tell
from tasks.reporting import lineage_of
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.workers.interface import Turn, Workplace
from tasks.workers.started import start_workers, workplace_of

LOG = logging.getLogger(__name__)


@task(name="promote", task_run_name="promote? {run}", **RETRIED, **DURABLE)
@stoppable
def promote_task(
    run: str,
    challenger: FileReference,
    champion: Champion | None,
    dataset: DatasetReference,
    reserve: float,
    rules: Rules,
    root: Address,
    place: Workplace,
    key: str,
) -> Decision:
    """Compares a challenger with the champion; see `mnist_models.champion.comparison.face_champion`."""
    return start_workers(place).run(Turn(), face_champion, challenger, champion, dataset, reserve, rules, root, key=key)


def promote_model(run: Run, model: ExportedModel) -> Run:
    """Asks the gate whether a run's model becomes champion, and sees to it.

    Returns:
        The run, with what became of its model.
    """
    name = run.settings.champion
    with exclusively(run.settings, f"promotion-{name}"):
        promotion = _promotion(run, model, name)
    tell(promotion, run.name)
    LOG.info("champion  %s: %s", promotion.outcome, promotion.reason, extra=page())
    return run.model_copy(update={"promotion": promotion})


def _promotion(run: Run, model: ExportedModel, name: str) -> Promotion:
    store = Store(run.settings.store)
    champion = read_champion(store, name)
    if champion is not None and champion.weights == model.weights:
        return Promotion(
            outcome="champion already", reason=f"since {champion.promoted_at[:10]}", name=name, champion=champion
        )
    decision = _decide(run, model, champion)
    challenger = _challenger(run, model, champion, decision)
    back = taken_back(read_history(store, name), model.weights)
    reason = unwanted(back) if back else decision.reason
    if back or decision.verdict == "refused":
        refuse(store, challenger, reason, name, decision.with_champion)
    else:
        card = model_card(run, lineage_of(run, model)).encode()
        described = {"card": store.write(f"champion/cards/{model.weights[:16]}.md", card), "seal": ""}
        champion = promote(store, challenger.model_copy(update=described), reason, name, decision.with_champion)
    readings = sum(event.comparison is not None for event in read_history(store, name))
    return Promotion(
        outcome="refused" if back else decision.verdict,
        reason=reason,
        name=name,
        champion=champion,
        decision=decision,
        readings=readings,
    )


def _decide(run: Run, model: ExportedModel, champion: Champion | None) -> Decision:
    settings, dataset = run.settings, run.dataset
    rules = Rules(margin=settings.promotion_margin / 100, slack=settings.promotion_slack)
    code = code_fingerprint("champion.comparison")
    seal = champion.seal if champion else None
    key = f"promotion-{digest([model.weights, seal, dataset.seal, settings.reserve, rules.digest, code])}"
    root = Store(settings.store).address
    decision: Decision
    decision, _ = compute(
        promote_task, settings, run.name, model.file, champion, dataset, settings.reserve, rules, root,
        workplace_of(settings), key=key,
    )  # fmt: skip
    return decision


def _challenger(run: Run, model: ExportedModel, champion: Champion | None, decision: Decision) -> Champion:
    """The record of a run's model, as it is once it is champion."""
    dataset = run.dataset
    return Champion(
        key=decision.key,
        model=model.file,
        weights=model.weights,
        exports={form.form: form for form in run.exports},
        classes=dataset.classes,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        pen=measure_pen(read_split(Store(run.settings.store), dataset, "train").x),
        dataset_fingerprint=dataset.fingerprint,
        source=dataset.source,
        run=run.name,
        stage=run.final.stage,
        figures=decision.published,
        anchor=_anchor(champion, decision),
        promoted_at=now(),
    )


def _anchor(champion: Champion | None, decision: Decision) -> FileReference | None:
    """The champion's anchor, or the champion, unless the challenger is shown to be better than that."""
    paired = decision.with_anchor or decision.with_champion
    if champion is None or paired is None or paired.interval_95[0] > 0:
        return None
    return champion.anchor or champion.model
