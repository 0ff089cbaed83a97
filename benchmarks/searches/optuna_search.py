"""Optuna's TPE with its Hyperband pruner, driven through our own trainings and rungs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from benchmarks.searches.finding import Finding, Task
from benchmarks.searches.trainings import started, study_of
from mnist_models.search.spaces import search_space
from mnist_models.search.study import Proposal
from mnist_models.surrogate.values import Values

if TYPE_CHECKING:
    import optuna

FACTOR = 3  # between rungs


def search(task: Task, told: bool = False) -> Iterable[Finding]:
    """Searches as Optuna documents it: `study.optimize` with a thread for each core.

    Args:
        task: What, and how long.
        told: Whether it is given the combinations to begin with that ours begins with, by `enqueue_trial`.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = study_of(task)
    [bracket] = study.oracle.brackets
    budgets = tuple(rung.images for rung in bracket)
    space = search_space(task.space).space
    with started(task) as trainings:

        def objective(trial: optuna.Trial) -> float:
            values, loss = {hyperparameter.name: _suggest(trial, hyperparameter) for hyperparameter in space}, 0.0
            for rung in range(len(budgets)):
                if trainings.left() <= 0:
                    raise optuna.TrialPruned
                loss = trainings.train(study, _proposal(trial, values, budgets, rung))
                trial.report(loss, FACTOR**rung)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return loss

        pruner = optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=FACTOR ** (len(budgets) - 1), reduction_factor=FACTOR
        )
        searching = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=task.seed), pruner=pruner)
        for values in (*study.oracle.known, *study.oracle.portfolio) if told else ():
            searching.enqueue_trial(dict(values))
        searching.optimize(objective, timeout=task.seconds, n_jobs=os.cpu_count() or 1)
    return trainings.findings


def _suggest(trial: optuna.Trial, hyperparameter: Any) -> Any:
    """What a user of Optuna would write for a hyperparameter of KerasTuner's."""
    kind, name = type(hyperparameter).__name__, hyperparameter.name
    if kind == "Choice":
        return trial.suggest_categorical(name, hyperparameter.values)
    low, high, step = hyperparameter.min_value, hyperparameter.max_value, hyperparameter.step
    return trial.suggest_int(name, low, high) if kind == "Int" else trial.suggest_float(name, low, high, step=step)


def _proposal(trial: optuna.Trial, values: Values, budgets: tuple[int, ...], rung: int) -> Proposal:
    return Proposal(
        number=trial.number + 1, values=values, budgets=budgets[: rung + 1], rung=rung, last=rung + 1 == len(budgets)
    )
