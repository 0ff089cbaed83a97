"""The task that fits the budgets of a run to its minutes, once; runs that resume it follow its plan."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.networks.by_name import Network
from mnist_models.report.words import duration
from mnist_models.time_budget.fitting import fit_budgets
from mnist_models.time_budget.measuring import Measured, mean_costs, measure
from mnist_models.time_budget.plan import TimePlan, plan_key
from mnist_models.training.cost import USUAL_COSTS, Costs
from tasks.artifacts import page
from tasks.caching import DURABLE, compute
from tasks.progress import PROGRESS, Progress
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.workers.interface import Turn
from tasks.workers.started import start_workers, workers_of, workplace_of

LOG = logging.getLogger(__name__)
ORCHESTRATION = 0.03  # of the time: what is not training
Planner = Callable[[Settings, DatasetReference, Progress], None]
"""Says what a stage, or all of them, will train."""


def fit_to_time(settings: Settings, dataset: DatasetReference, stage: str, planner: Planner) -> Settings:
    """Returns settings whose budgets fit their minutes; those without minutes as they are.

    Args:
        settings: What was asked for.
        dataset: What will be trained on.
        stage: What will run.
        planner: Takes that into a plan.

    Raises:
        TimeTooShortError: If no search that means anything fits.
    """
    if settings.minutes is None:
        return settings
    key = plan_key(settings, stage, dataset.fingerprint)
    plan: TimePlan
    plan, cached = compute(plan_task, settings, stage, planner, dataset, settings, key=key)
    PROGRESS.costs = plan.costs
    LOG.info("plan  %s", _words(plan, cached), extra=page())
    return plan.apply(settings)


@task(name="plan", task_run_name="plan {stage}", **RETRIED, **DURABLE)
@stoppable
def plan_task(stage: str, planner: Planner, dataset: DatasetReference, settings: Settings, key: str) -> TimePlan:
    """Measures what trainings cost here, and finds the budgets that fill the time."""
    settings = settings.model_copy(update={"workers": workers_of(settings)})
    assert settings.minutes is not None, f"{stage} has no minutes to be planned for"
    measured = measure_here(Estimate(planner, dataset, USUAL_COSTS).kinds(settings), dataset, settings)
    estimate = Estimate(planner, dataset, measured.costs, measured.seconds)
    fitted = fit_budgets(settings, 60 * settings.minutes, estimate.seconds)
    return TimePlan(
        key=key,
        minutes=settings.minutes,
        workers=settings.workers,
        budgets=fitted.budgets,
        factor=fitted.factor,
        full=fitted.full,
        expected_seconds=round(fitted.seconds, 1),
        costs=measured.costs,
    )


def measure_here(kinds: list[Network], dataset: DatasetReference, settings: Settings) -> Measured:
    """Returns what trainings cost while all workers train, each as much as the others."""
    workers, root = start_workers(workplace_of(settings)), Store(settings.store).address
    with ThreadPoolExecutor(settings.workers, thread_name_prefix="measure") as threads:
        measured = threads.map(
            lambda _: workers.run(Turn(), measure, kinds, dataset, root, settings.precision), range(settings.workers)
        )
        return mean_costs(list(measured))


@dataclass(frozen=True)
class Estimate:
    """How long a run takes, before it begins.

    Attributes:
        planner: Says what it trains.
        dataset: On what.
        costs: Of trainings.
        measured: Seconds that it took to know them.
    """

    planner: Planner
    dataset: DatasetReference
    costs: Costs
    measured: float = 0.0

    def seconds(self, settings: Settings) -> float:
        """From its start to its end, played through on the workers that there are."""
        return self._plan(settings).time_left()[1] * (1 + ORCHESTRATION) + self.measured

    def kinds(self, settings: Settings) -> list[Network]:
        """The networks that it trains."""
        stages = self._plan(settings).stages.values()
        found = {training.kind for stage in stages for training in stage.trainings.values()}
        return [kind for kind in USUAL_COSTS.image if kind in found]

    def _plan(self, settings: Settings) -> Progress:
        progress = Progress(clock=lambda: 0.0)
        progress.workers, progress.costs = settings.workers, self.costs
        self.planner(settings, self.dataset, progress)
        return progress


def _words(plan: TimePlan, cached: bool) -> str:
    """The plan in one line."""
    made = f"{plan.minutes:g} minutes for {plan.workers} worker{'s' if plan.workers > 1 else ''}"
    size = f"searches of {plan.factor:.2g} times the profile's size"
    chosen = ", ".join(f"{name} {value:g}" for name, value in plan.budgets.items())
    whence = ", as planned by an earlier run" if cached else ""
    spare = "" if plan.full else "; more would bring nothing"
    return f"{made}: {size}, about {duration(plan.expected_seconds)}{spare}{whence} ({chosen})"
