"""What every stage does: train one network, or search and train the winner anew; and how stages run side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from typing import Any

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.report.run import StageResult
from mnist_models.report.words import duration
from mnist_models.search.study import Study, apply_values
from mnist_models.training.specification import TrainingSpec
from tasks.artifacts import page, tag_run
from tasks.planning import plan_models
from tasks.progress import PROGRESS
from tasks.sending import wait_until_sent
from tasks.stopping import stop_workers
from tasks.training import STAGE_NUMBER, train_models
from tasks.tuning import run_study

LOG = logging.getLogger(__name__)
MOST_STAGES = 32  # threads; those that wait for another stage hold one, too
STOP_TIMEOUT = 8.0  # seconds that stages get to end when the run stops

_announce: ContextVar[Callable[[TrainingSpec], None]] = ContextVar("announce", default=lambda winner: None)


def train_model(name: str, spec: TrainingSpec, dataset: DatasetReference, settings: Settings) -> StageResult:
    """Trains one network and keeps its weights."""
    tag_run("model", settings.profile)
    plan_models({f"{name} model": spec}, dataset, new=True)
    [(model, cached)] = train_models({f"{name} model": spec}, dataset, settings)
    return _told(StageResult(name=name, model=model, cached=cached))


def tune(
    study: Study,
    dataset: DatasetReference,
    settings: Settings,
    finish: Callable[[TrainingSpec], TrainingSpec],
    *,
    started_from: str | None = None,
) -> StageResult:
    """Runs a study and trains its winner from scratch, so that nothing is inherited from the search.

    Where the winner does not beat what the study started from, that is trained: it may be in the store already.

    Args:
        study: What to search.
        dataset: On what to train.
        settings: Where, and with how many workers.
        finish: How the winner is trained.
        started_from: The stage whose model is the first that the study knows, or None.
    """
    tag_run("study", settings.profile)
    plan_models({f"{study.name} winner": finish(study.template)}, dataset)
    result, study_cached = run_study(study, dataset, settings)
    PROGRESS.drop(study.name, trials_only=True)
    stays = result.decision is not None and not result.decision.replaced
    winner = finish(apply_values(study.template, study.oracle.known[0] if stays else result.best.values))
    _announce.get()(winner)
    [(model, model_cached)] = train_models({f"{study.name} winner": winner}, dataset, settings)
    cached = study_cached and model_cached
    if page()["flow_run_id"] is None:  # it runs alone; a pipeline waits at its own end
        wait_until_sent()
    return _told(
        StageResult(
            name=study.name,
            model=model,
            trials=result.trials,
            decision=result.decision,
            cached=cached,
            started_from=started_from,
        )
    )


class Stages:
    """Stages that run side by side, as far as one does not need what another finds.

    The workers serve them in the order in which they were started, so that a later stage only takes what an earlier one
    leaves free: the second worker, while the first trains a single model.
    """

    def __init__(self, settings: Settings, dataset: DatasetReference) -> None:
        self.settings = settings
        self.dataset = dataset
        self._threads = ThreadPoolExecutor(MOST_STAGES, thread_name_prefix="stage")
        self._results: dict[str, Future[StageResult]] = {}
        self._winners: dict[str, Future[TrainingSpec]] = {}

    def start(self, stage: Callable[..., StageResult], after: Callable[..., StageResult] | None = None) -> None:
        """Starts a stage.

        Args:
            stage: A flow of (settings, dataset) or (settings, dataset, winner).
            after: The stage whose winning specification it goes on from; it starts when that is known.
        """
        name = stage.__name__
        PROGRESS.plan(name, "", {}, after=after.__name__ if after else None)
        self._winners[name] = Future()
        needed = self._winners[after.__name__] if after else None
        context = copy_context()
        self._results[name] = self._threads.submit(context.run, self._run, stage, len(self._results), needed)
        self._results[name].add_done_callback(lambda done: self._give_up(name, done))

    def results(self) -> list[StageResult]:
        """Waits for all stages and returns their results in the order started.

        Raises:
            Exception: What the first stage that failed raised.
        """
        try:
            return [result.result() for result in self._results.values()]
        except BaseException as error:  # one failed, or a signal came: the others stop, and go on in the next run
            stop_workers(error)
            wait(self._results.values(), timeout=STOP_TIMEOUT)
            raise

    def _run(self, stage: Callable[..., StageResult], number: int, needed: Future[TrainingSpec] | None) -> StageResult:
        STAGE_NUMBER.set(number)
        _announce.set(self._winners[stage.__name__].set_result)
        found: list[Any] = [needed.result()] if needed else []
        return stage(self.settings, self.dataset, *found)

    def _give_up(self, name: str, done: Future[StageResult]) -> None:
        """A stage that failed before it had a winner fails those that wait for it."""
        error = done.exception()
        if error is not None and not self._winners[name].done():
            self._winners[name].set_exception(error)


def _told(stage: StageResult) -> StageResult:
    model = stage.model
    PROGRESS.drop(stage.name)
    LOG.info(
        "%s  model: val_loss %.4f, val_accuracy %.2f %% at epoch %d of %d · %s",
        stage.name, model.metric("val_loss"), 100 * (model.metric("val_accuracy") or 0), model.best_epoch, model.epochs,
        "from the cache" if stage.cached else duration(stage.seconds) + " of training",
        extra=page(),
    )  # fmt: skip
    return stage
