"""The plan of a run: what its stages will train, and what that will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mnist_models.data.dataset import DatasetReference
from mnist_models.programs.shape import TUNABLE
from mnist_models.search.costs import expected_trials
from mnist_models.search.study import COOLDOWN, Proposal, Study
from mnist_models.training.cost import expected_seconds
from mnist_models.training.specification import TrainingSpec
from tasks.progress import PROGRESS, TRIAL, Progress

JUDGED = 0.7e-3  # seconds of the final judgement for each test image


def plan_study(study: Study, dataset: DatasetReference, progress: Progress = PROGRESS) -> list[float]:
    """Takes a study's trials into the run's plan.

    Args:
        study: What will be searched.
        dataset: On what.
        progress: Of which run.

    Returns:
        Expected seconds of each trial.
    """
    new = _tries_networks(study)
    costs = [
        expected_seconds(
            study.spec(trial, dataset.train),
            dataset,
            new=new,
            before=_images_before(study, trial),
            costs=progress.costs,
        )
        for trial in expected_trials(study)
    ]
    trials = {f"{TRIAL} {number}": seconds for number, seconds in enumerate(costs, start=1)}
    progress.plan(study.name, study.template.network, trials, window=study.oracle.window)
    return costs


def plan_tuning(
    study: Study,
    finish: Callable[[TrainingSpec], TrainingSpec],
    dataset: DatasetReference,
    progress: Progress = PROGRESS,
) -> None:
    """Takes a study and the training of its winner into the run's plan.

    Args:
        study: What will be searched.
        finish: How the winner is trained.
        dataset: On what.
        progress: Of which run.
    """
    plan_study(study, dataset, progress)
    plan_models({f"{study.name} winner": finish(study.template)}, dataset, progress=progress)


def plan_models(
    specs: Mapping[str, TrainingSpec],
    dataset: DatasetReference,
    *,
    new: bool = False,
    last: bool = False,
    progress: Progress = PROGRESS,
) -> None:
    """Takes models into the run's plan.

    Args:
        specs: What will be trained, by name of the task run.
        dataset: On what.
        new: Whether no network like them was trained before.
        last: Whether all other stages must be done before.
        progress: Of which run.
    """
    for name, spec in specs.items():
        stage, training = place_of(name)
        seconds = expected_seconds(spec, dataset, new=new, costs=progress.costs)
        progress.plan(stage, spec.network, {training: seconds}, last=last)


def plan_final(specs: Mapping[str, TrainingSpec], dataset: DatasetReference, progress: Progress = PROGRESS) -> None:
    """Takes the members of the final ensemble and their judgement into the run's plan, after all else.

    Args:
        specs: What will be trained, by name of the task run.
        dataset: On what.
        progress: Of which run.
    """
    plan_models(specs, dataset, last=True, progress=progress)
    progress.plan_end(JUDGED * dataset.test)


def _tries_networks(study: Study) -> bool:
    """Whether its trials are networks that differ, each of which is built and traced."""
    network = study.template.hyperparameters.keys() - set(TUNABLE)
    return not network or any(network & values.keys() for values in study.oracle.known)


def _images_before(study: Study, trial: Proposal) -> float:
    """Images that the trial which this one continues has seen, its cooldown not counted."""
    if trial.parent is None or not trial.budgets:
        return 0.0
    cooldown = COOLDOWN if study.template.optimizer.schedule == "cooldown" else 0.0
    return trial.budgets[-2] * (1 - cooldown)


def place_of(name: str) -> tuple[str, str]:
    """Stage and training in the run's plan: "grid trial 3 of 90 · val_loss 0.1" is trial 3 of the stage grid."""
    stage, _, training = name.partition(" ")
    return stage, training.partition(" of ")[0].partition(" · ")[0]
