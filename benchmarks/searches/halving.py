"""Our search, as `standard` makes it and on until the time is up; and with parts of it left out.

Further brackets begin at its second rung, as some of Hyperband's do (Li et al. 2018), and go twice as far: a short rung
prefers what learns fast to what ends well. They have twice the combinations, so that no core waits at the last rung.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from benchmarks.searches.finding import Finding, Task
from benchmarks.searches.trainings import started, study_of
from mnist_models.search.conversation import converse
from mnist_models.search.spaces import search_space
from mnist_models.search.study import OracleSpec, Proposal, Rung

BRACKETS = 100  # more than there is time for


@dataclass(frozen=True)
class _Training:
    """A trial under way."""

    loss: Future[float]
    worst: float

    def score(self) -> float:
        loss = self.loss.result()
        return loss if math.isfinite(loss) else self.worst


def search(task: Task, change: Callable[[OracleSpec], dict[str, object]] = lambda _: {}) -> Iterable[Finding]:
    """Searches, and returns each training's end.

    Args:
        task: What, and how long.
        change: Of the oracle: what is left out.
    """
    study = study_of(task)
    oracle = study.oracle.model_copy(update=change(study.oracle))
    [bracket] = oracle.brackets
    further = tuple(Rung(trials=2 * rung.trials, images=2 * rung.images) for rung in bracket[1:] or bracket)
    oracle = oracle.model_copy(update={"brackets": (bracket, *[further] * BRACKETS)})
    with started(task) as trainings, ThreadPoolExecutor(oracle.window) as threads:

        def submit(proposal: Proposal) -> _Training:
            return _Training(threads.submit(trainings.train, study, proposal), math.log(task.dataset.classes))

        for _ in converse(oracle, search_space(study.space), submit):
            pass
    return trainings.findings


def _random(_: OracleSpec) -> dict[str, object]:
    return {"proposals": "random"}


def _one_rung(oracle: OracleSpec) -> dict[str, object]:
    [bracket] = oracle.brackets
    return {"brackets": ((bracket[0].model_copy(update={"images": bracket[-1].images}),),)}


def _cold(_: OracleSpec) -> dict[str, object]:
    return {"known": (), "portfolio": ()}


ABLATIONS = {
    "random proposals": partial(search, change=_random),
    "without rungs": partial(search, change=_one_rung),
    "without warm start": partial(search, change=_cold),
}
