"""The task that runs a study; each of its trials is a task run of its own, unless there are hundreds at a time."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from prefect import task
from prefect.transactions import CommitMode, get_transaction

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.report.words import duration
from mnist_models.search.decision import decide
from mnist_models.search.spaces import search_space
from mnist_models.search.study import Proposal, Study
from mnist_models.search.trials import StudyResult, Trial, failed_trial, record_trial, with_fates
from mnist_models.surrogate.values import Values
from mnist_models.training.result import TrainingResult, load_judged
from tasks.artifacts import StudyProgress, page, show_leaderboard
from tasks.caching import DURABLE, compute
from tasks.planning import plan_study
from tasks.progress import PROGRESS, TRIAL
from tasks.stopping import stoppable
from tasks.training import Ended, submit_trial
from tasks.workers.process import quiet_import

LOG = logging.getLogger(__name__)
MOST_TOLD = 128  # trials open at a time that are task runs: each costs this process and Prefect's server 27 ms
MOST_FAILED = 0.5  # a study ends with an error where more than this share of its trials failed


class StudyFailedError(RuntimeError):
    """Too many trials failed for the study to mean anything."""


@dataclass(frozen=True)
class _SubmittedTrial:
    """A trial under way."""

    proposal: Proposal
    ended: Ended
    worst: float

    @cached_property
    def result(self) -> TrainingResult | Exception:
        """Waits for the training."""
        return self.ended()

    def trial(self) -> Trial:
        """Waits for the training and makes the record of the trial."""
        result = self.result
        if isinstance(result, TrainingResult):
            return record_trial(self.proposal, result)
        return failed_trial(self.proposal, f"{type(result).__name__}: {result}")

    def losses(self, store: Store) -> np.ndarray | None:
        """Loss of each validation image, float32 [n], where the training kept them."""
        result = self.result
        if not isinstance(result, TrainingResult) or result.judged is None or result.failure is not None:
            return None
        return load_judged(store, result)["losses"]

    def score(self) -> float:
        """Waits for the score; a trial that failed counts as bad as guessing, so that the oracle can go on."""
        val_loss = self.trial().val_loss
        return self.worst if val_loss is None else val_loss


@task(name="study", task_run_name="study {name}", **DURABLE)
@stoppable
def study_task(name: str, study: Study, dataset: DatasetReference, settings: Settings, key: str) -> StudyResult:
    """Converses with the study's oracle until it has no more trials to propose.

    Each trial is a task run of its own, unless more than `MOST_TOLD` are open at a time.
    """
    costs = plan_study(study, dataset)
    with quiet_import():
        from mnist_models.search.conversation import converse  # KerasTuner imports TensorFlow
    transaction = get_transaction()
    if transaction is not None:
        transaction.commit_mode = CommitMode.EAGER  # trials' results are stored as they come, not when the study ends

    told = study.oracle.window <= MOST_TOLD
    if not told:
        LOG.info("%s  trials are no task runs: up to %d are open", study.name, study.oracle.window, extra=page())

    space = search_space(study.space)
    worst = math.log(dataset.classes)

    def start(proposal: Proposal) -> _SubmittedTrial:
        spec = study.spec(proposal, dataset.train)
        label = f"{study.name} trial {proposal.number} of {len(costs)}"
        judged = bool(proposal.budgets) and proposal.last
        ended = submit_trial(label, spec, dataset, settings, key, keep_judged=judged, told=told)
        return _SubmittedTrial(proposal, ended, worst)

    store = Store(settings.store)
    progress = _Progress(study.name, costs)
    trials: list[Trial] = []
    losses: dict[int, np.ndarray] = {}
    for outcome in converse(study.oracle, space, start):
        trials.append(outcome.trial())
        progress.tell(trials[-1])
        if (kept := outcome.losses(store)) is not None:
            losses[trials[-1].number] = kept
        if transaction is not None:
            transaction.children.clear()  # they are committed; kept, they would keep every trial's result in memory
    failed = [trial for trial in trials if trial.failure]
    if len(failed) > MOST_FAILED * len(trials):
        raise StudyFailedError(
            f"{study.name}: {len(failed)} of {len(trials)} trials failed, the last by {failed[-1].failure}"
        )
    incumbent: Values | None = study.oracle.known[0] if study.oracle.known else None
    decision = decide(trials, losses, incumbent, dataset.classes)
    return StudyResult(
        key=key, name=study.name, trials=tuple(with_fates(trials, study.oracle.known)), decision=decision
    )


class _Progress:
    """Says how a study is doing: at each new best trial, and every few seconds; and shows it in Prefect's UI.

    Args:
        name: Of the study.
        costs: Of each trial to come, in seconds.
    """

    SECONDS = 5.0

    def __init__(self, name: str, costs: list[float]) -> None:
        self.name = name
        self.costs = costs
        self.expected = len(costs)
        self.said = time.monotonic()
        self.best: Trial | None = None
        self.artifact = StudyProgress(name)
        self.artifact.show(0, f"trial 1 of {self.expected} under way")

    def tell(self, trial: Trial) -> None:
        """Takes note of a finished trial."""
        if trial.failure:
            LOG.warning("%s  trial %d failed: %s", self.name, trial.number, trial.failure)
        better = trial.val_loss is not None and (
            self.best is None or self.best.val_loss is None or trial.val_loss < self.best.val_loss
        )
        if better:
            self.best = trial
        PROGRESS.end(self.name, f"{TRIAL} {trial.number}", trial.val_loss)
        last = trial.number == self.expected
        if self.best and (better or last or time.monotonic() - self.said >= self.SECONDS):
            self.said = time.monotonic()
            stages, run = PROGRESS.time_left()
            left = f"{duration(stages[self.name])} left, {duration(run)} for the run"
            done = f"trial {trial.number} of {self.expected}"
            share = 1.0 if last else sum(self.costs[: trial.number]) / sum(self.costs)
            self.artifact.show(share, f"{done}, best val_loss {self.best.val_loss:.4f}, {left}")
            LOG.info(
                "%s  %s · best val_loss %.4f (trial %d, val_accuracy %.2f %%) · %s",
                self.name, done, self.best.val_loss, self.best.number, 100 * (self.best.val_accuracy or 0), left,
            )  # fmt: skip


def run_study(study: Study, dataset: DatasetReference, settings: Settings) -> tuple[StudyResult, bool]:
    """Runs a study, or finds it done.

    Returns:
        Its result, and whether it came from the cache.

    Raises:
        StudyFailedError: If too many of its trials failed.
    """
    key = study.key(dataset)
    store = Store(settings.store)
    if settings.refresh:
        store.remove(f"checkpoints/{key}")
    result: StudyResult
    result, cached = compute(study_task, settings, study.name, study, dataset, settings, key=key)
    show_leaderboard(result, store)
    if result.decision is not None:
        LOG.info("%s  %s", study.name, result.decision.words, extra=page())
    store.remove(f"checkpoints/{key}")
    if any(trial.failure and trial.epochs == 0 for trial in result.trials):
        store.remove(f"results/{key}")  # bad luck, not bad hyperparameters: the next run tries those trials again
    return result, cached
