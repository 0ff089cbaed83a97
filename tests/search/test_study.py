from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from keras_tuner.oracles import HyperbandOracle

from mnist_models.data.augmentation import Augmentation
from mnist_models.foundation.records import digest
from mnist_models.report.run import StageResult
from mnist_models.search.conversation import converse
from mnist_models.search.costs import expected_trials, hyperband_epochs, space_size
from mnist_models.search.halving import rungs
from mnist_models.search.spaces import search_space
from mnist_models.search.study import OracleSpec, Proposal, Study, apply_values
from mnist_models.training.specification import TrainingSpec
from tests import examples

STUDIES = {
    "grid": ("cnn_learning_rate", OracleSpec(kind="grid", seed=1, window=1)),
    "hyperband": ("fully_connected_hyperband", OracleSpec(kind="hyperband", seed=2, window=1, max_epochs=9)),
    "halving": (
        "cnn_bayesian",
        OracleSpec(kind="halving", seed=3, window=1, brackets=(rungs(16, 900), rungs(5, 900, count=2)), seeds=2),
    ),
    "random halving": (
        "cnn_augmentation",
        OracleSpec(kind="halving", seed=4, window=1, brackets=(rungs(7, 900),), proposals="random"),
    ),
    "grid on rungs": (
        "cnn_learning_rate",
        OracleSpec(kind="halving", seed=5, window=1, brackets=(rungs(8, 900),), proposals="grid"),
    ),
}


@dataclass(frozen=True)
class Waiting:
    proposal: Proposal
    future: Future[float]

    def score(self) -> float:
        return self.future.result()


def score_of(proposal: Proposal) -> float:
    """A made-up score, which arrives after a random while."""
    time.sleep(random.random() / 200)
    return int(digest(proposal.values)[:6], 16) / 16**6 / ((proposal.epochs or 1) + proposal.rung)


def proposals(kind: str, window: int, workers: int) -> list[Proposal]:
    name, spec = STUDIES[kind]
    spec = spec.model_copy(update={"window": window})
    with ThreadPoolExecutor(workers) as pool:
        outcomes: Iterator[Waiting] = converse(
            spec, search_space(name), lambda proposal: Waiting(proposal, pool.submit(score_of, proposal))
        )
        return [outcome.proposal for outcome in outcomes]


@pytest.mark.parametrize("kind", STUDIES)
@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_study_is_the_same_for_any_number_of_workers(kind: str, window: int) -> None:
    name, spec = STUDIES[kind]
    first = proposals(kind, window, workers=1)
    assert len(first) == len(expected_trials(study_of(kind)))
    assert [proposal.number for proposal in first] == list(range(1, len(first) + 1))
    for workers in (2, 3):
        assert proposals(kind, window, workers) == first


def study_of(kind: str) -> Study:
    name, spec = STUDIES[kind]
    template = TrainingSpec(network="cnn", hyperparameters={}, epochs=3)
    return Study(name=kind, space=name, oracle=spec, template=template)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("max_epochs", [1, 3, 9, 10, 26, 27, 81, 150])
def test_the_plan_of_hyperband_is_kerastuners(max_epochs: int, factor: int) -> None:
    oracle = HyperbandOracle(objective="val_loss", max_epochs=max_epochs, factor=factor)
    sizes, epochs = [], []
    for bracket in reversed(range(oracle._get_num_brackets())):
        rounds = range(oracle._get_num_rounds(bracket))
        sizes += [oracle._get_size(bracket, number) for number in rounds]
        trained = [oracle._get_epochs(bracket, number) for number in rounds]
        epochs += [later - earlier for earlier, later in zip([0, *trained], trained, strict=False)]
    expected = [added for added, size in zip(epochs, sizes, strict=True) for _ in range(size)]
    assert hyperband_epochs(max_epochs, factor) == expected


@pytest.mark.parametrize(
    "name", ["fully_connected_grid", "fully_connected_hyperband", "cnn_bayesian", "cnn_augmentation"]
)
def test_a_space_is_as_large_as_kerastuner_has_it(name: str) -> None:
    assert space_size(name) == math.prod(len(list(values.values)) for values in search_space(name).space)


def test_trials_of_hyperband_cost_the_epochs_that_they_add() -> None:
    name, spec = STUDIES["hyperband"]
    trials = proposals("hyperband", window=1, workers=1)
    epochs = {trial.number: trial.epochs or 0 for trial in trials}
    added = [epochs[trial.number] - (epochs[trial.parent] if trial.parent else 0) for trial in trials]
    assert sorted(trial.epochs or 0 for trial in expected_trials(study_of("hyperband"))) == sorted(added)
    assert len(set(added)) > 2


def test_the_grid_has_90_different_combinations() -> None:
    spec = OracleSpec(kind="grid", seed=1, window=4)
    open_at_once: list[int] = []
    running: list[Proposal] = []

    def start(proposal: Proposal) -> Waiting:
        running.append(proposal)
        future: Future[float] = Future()
        future.set_result(1.0)
        return Waiting(proposal, future)

    seen = []
    for outcome in converse(spec, search_space("fully_connected_grid"), start):
        open_at_once.append(len(running))
        running.remove(outcome.proposal)
        seen.append(outcome.proposal.values)
    assert len(seen) == len({digest(values) for values in seen}) == 90
    assert max(open_at_once) == 4  # the grid does not wait for scores


def test_hyperband_promotes_the_best() -> None:
    trials = proposals("hyperband", 2, 2)
    promoted = [trial for trial in trials if trial.parent]
    assert promoted
    for trial in promoted:
        assert trial.parent
        parent = trials[trial.parent - 1]
        assert parent.values == trial.values
        assert (parent.epochs or 0) < (trial.epochs or 0)


def test_values_go_where_they_belong() -> None:
    template = TrainingSpec(network="cnn", hyperparameters={"dense_layer_size": 64}, epochs=3)
    spec = apply_values(template, {"learning_rate": 0.01, "rotation_range": 0.1, "kernel_size": 5})
    assert spec.optimizer.learning_rate == 0.01
    assert spec.augmentation == Augmentation(rotation_range=0.1)
    assert spec.hyperparameters == {"dense_layer_size": 64, "kernel_size": 5}
    assert template.augmentation is None


def test_a_study_is_named_by_all_that_shapes_it() -> None:
    name, oracle = STUDIES["grid"]
    template = TrainingSpec(network="cnn", hyperparameters={}, epochs=3)
    study = Study(name="s", space=name, oracle=oracle, template=template)
    others = [
        study.model_copy(update={"oracle": oracle.model_copy(update={"window": 2})}),
        study.model_copy(update={"oracle": oracle.model_copy(update={"seed": 2})}),
        study.model_copy(update={"template": template.model_copy(update={"batch_size": 32})}),
    ]
    assert len({digest(s.model_dump(mode="json")) for s in [study, *others]}) == 4


def test_the_time_of_a_continued_trial_counts_once() -> None:
    one, two = examples.trial(1, seconds=3.0), examples.trial(2, seconds=2.0)
    trials = (one, two, examples.trial(3, parent=1, seconds=7.0))  # of which 3 in trial 1
    stage = StageResult(name="hyperband", model=examples.model(), trials=trials)
    assert stage.seconds == stage.model.seconds + 2.0 + 7.0
