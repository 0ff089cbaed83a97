"""Our trainings, for searches that are not a flow: of two workers, with the clock beside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.searches.finding import Finding, Task
from flows.cnn import bayesian_study
from flows.recipe import recipe_study
from mnist_models.foundation.settings import Settings
from mnist_models.search.study import Proposal, Study
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn, WorkersClosedError
from tasks.workers.local import LocalPool

STUDIES = {"cnn_bayesian": bayesian_study, "residual_recipe": recipe_study}


def study_of(task: Task) -> Study:
    """The search of that space that `standard` makes."""
    return STUDIES[task.space](Settings(seed=task.seed))


@dataclass
class Trainings:
    """Trains what it is told, and notes when each ended.

    Attributes:
        findings: All that ended so far.
    """

    task: Task
    pool: LocalPool
    begun: float = field(default_factory=time.perf_counter)
    findings: list[Finding] = field(default_factory=list)

    def left(self) -> float:
        """Seconds until the search ends."""
        return self.begun + self.task.seconds - time.perf_counter()

    def train(self, study: Study, proposal: Proposal) -> float:
        """Trains a trial, from its parent's checkpoint where it has one, and returns its validation loss in nats."""
        spec = study.spec(proposal, self.task.dataset.train)
        name = f"checkpoints/{spec.lineage()}.npz"
        result = self.pool.run(
            Turn(), fit, spec, self.task.dataset, self.task.root, key=f"trial-{spec.digest}", checkpoint=name
        )
        loss = float("inf") if result.failure else float(result.metric("val_loss") or 0.0)
        self.findings.append(Finding(time.perf_counter() - self.begun, loss, proposal.values))
        return loss


@contextmanager
def started(task: Task) -> Iterator[Trainings]:
    """Workers that have imported TensorFlow, and whose work stops when the time is up."""
    with closing(LocalPool(os.cpu_count() or 1)) as pool:
        with ThreadPoolExecutor(pool.count) as threads:
            list(threads.map(lambda _: pool.run(Turn(), _import_tensorflow), range(pool.count)))
        trainings = Trainings(task, pool)
        end = threading.Timer(task.seconds, pool.close)
        end.start()
        try:
            with suppress(WorkersClosedError):
                yield trainings
        finally:
            end.cancel()


def train_anew(specs: list[TrainingSpec], task: Task) -> list[float]:
    """Trains specifications from scratch, as many at a time as there are cores, and returns their validation losses."""
    with closing(LocalPool(os.cpu_count() or 1)) as pool, ThreadPoolExecutor(pool.count) as threads:

        def train(spec: TrainingSpec) -> float:
            result = pool.run(Turn(), fit, spec, task.dataset, task.root, key=f"anew-{spec.digest}")
            return float("inf") if result.failure else float(result.metric("val_loss") or 0.0)

        return list(threads.map(train, specs))


def _import_tensorflow() -> None:
    from mnist_models.programs import program

    assert program
    time.sleep(1.0)  # so that each of the workers takes one of the calls
