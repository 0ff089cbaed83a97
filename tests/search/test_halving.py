from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_models.data.augmentation import Augmentation
from mnist_models.search.costs import expected_trials
from mnist_models.search.decision import decide
from mnist_models.search.halving import Halving, rungs
from mnist_models.search.oracles import HalvingOracle, build_oracle
from mnist_models.search.spaces import search_space
from mnist_models.search.study import OracleSpec, Proposal, Rung, Study
from mnist_models.search.trials import Trial, with_fates
from mnist_models.surrogate.values import Values
from mnist_models.training.budget import shares
from mnist_models.training.specification import TrainingSpec
from tests import examples

KNOWN: Values = {
    "block_type": "activation_last",
    "num_conv_layers": 2, "num_filters_first_layer": 32, "num_filters_sub_layers": 64, "kernel_size": 3,
    "subsample_type": "max_pool", "dense_layer_size": 64, "activation": "relu", "dropout_rate": 0.3,
    "learning_rate": 1e-3,
}  # fmt: skip


def play(spec: OracleSpec, scores: Sequence[float], space: str = "cnn_bayesian") -> Halving:
    """Asks and tells to the end, a trial at a time; trial n scores the n-th number, again and again."""
    search = Halving(spec, search_space(space))
    while (ask := search.ask()) is not None:
        search.tell(ask.number, scores[ask.number % len(scores)])
    assert search.done
    return search


def spec_of(*brackets: tuple[Rung, ...], **fields: Any) -> OracleSpec:
    return OracleSpec.model_validate({"kind": "halving", "seed": 1, "window": 1, "brackets": brackets} | fields)


@given(
    trials=st.integers(1, 40), images=st.integers(1, 10**6), count=st.integers(1, 4), seeds=st.integers(1, 3),
    known=st.booleans(), data=st.data(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_search_trains_what_its_plan_says(
    trials: int, images: int, count: int, seeds: int, known: bool, data: st.DataObject
) -> None:
    bracket = rungs(trials, images, count=count)
    spec = spec_of(bracket, seeds=seeds, known=(KNOWN,) if known else (), proposals="random")
    scores = data.draw(st.lists(st.floats(0, 3), min_size=5, max_size=60))
    asked = play(spec, scores).asked
    template = TrainingSpec(network="cnn", hyperparameters={}, epochs=1)
    planned = expected_trials(Study(name="s", space="cnn_bayesian", oracle=spec, template=template))
    assert [(one.rung, one.seed) for one in asked] == [(one.rung, one.seed) for one in planned]
    assert [one.number for one in asked] == list(range(1, len(asked) + 1))
    sizes = [sum(one.rung == rung and not one.seed for one in asked) - known for rung in range(count)]
    assert sizes == [step.trials for step in bracket]


@given(
    budgets=st.lists(st.integers(100, 10**6), min_size=1, max_size=4, unique=True).map(sorted),
    train=st.integers(50, 200_000), cooldown=st.sampled_from([0.0, 0.3]), selection=st.sampled_from(["hard", "random"]),
)  # fmt: skip
@settings(deadline=None)
def test_shares_add_up_to_the_budget_and_begin_as_those_of_shorter_trainings_do(
    budgets: list[int], train: int, cooldown: float, selection: Any
) -> None:
    found = shares(budgets, train, selection=selection, cooldown=cooldown)
    assert sum(found) * train == pytest.approx(budgets[-1], rel=1e-3, abs=0.5)
    assert min(found) > 0 or budgets[-1] / train < 1e-6
    for count in range(1, len(budgets)):
        shorter = shares(budgets[:count], train, selection=selection, cooldown=cooldown)
        trunk = shorter[: len(shorter) - (cooldown > 0)]
        assert found[: len(trunk)] == trunk


def test_the_best_are_promoted_and_what_is_known_besides() -> None:
    scores = [0.5, 0.9, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.95]  # trial 1, the known one, is the second worst
    asked = play(spec_of(rungs(9, 900), known=(KNOWN,)), scores).asked
    second = [one for one in asked if one.rung == 1]
    assert [one.parent for one in second] == [2, 3, 4, 1]
    last = [one for one in asked if one.rung == 2]
    assert KNOWN in [one.values for one in last]
    assert len(last) == 2
    for one in second + last:
        assert one.parent
        assert asked[one.parent - 1].values == one.values


def test_a_portfolio_is_tried_after_what_is_known_and_may_be_dropped() -> None:
    portfolio = tuple({**KNOWN, "dropout_rate": rate} for rate in (0.1, 0.5))
    asked = play(spec_of(rungs(9, 900), known=(KNOWN,), portfolio=portfolio), [0.1, 0.2, 0.9, 0.8]).asked
    assert [one.values for one in asked[:3]] == [KNOWN, *portfolio]
    assert sum(one.rung == 0 for one in asked) == 10
    assert not any(one.parent in (2, 3) for one in asked)


def test_first_combinations_are_near_the_best_so_far() -> None:
    far: Values = {**KNOWN, "learning_rate": 1e-4, "dense_layer_size": 256, "activation": "tanh", "kernel_size": 5}
    apart = [name for name in far if far[name] != KNOWN[name]]

    def share_of_the_far_one(*scores: float) -> float:
        found: list[bool] = []
        for seed in range(1, 21):
            spec = spec_of(rungs(9, 900), known=(KNOWN,), portfolio=(far,), seed=seed)
            search = Halving(spec, search_space("cnn_bayesian"))
            for score in scores:
                ask = search.ask()
                assert ask
                search.tell(ask.number, score)
            third = search.ask()
            assert third
            found += [third.values[name] == far[name] for name in apart]
        return sum(found) / len(found)

    assert share_of_the_far_one(0.5, 0.1) > 0.7
    assert share_of_the_far_one(0.1, 0.5) < 0.3


def test_nothing_is_proposed_twice() -> None:
    asked = play(spec_of((Rung(trials=8, images=10),), proposals="grid"), [1.0], space="cnn_learning_rate").asked
    assert len({one.values["learning_rate"] for one in asked}) == 8
    more = play(spec_of((Rung(trials=20, images=10),), proposals="model"), [1.0, 0.5], space="cnn_learning_rate")
    assert len({one.values["learning_rate"] for one in more.asked}) == len(more.asked) == 8


def test_a_model_tries_the_best_kind_more_often_than_chance_in_spite_of_noise() -> None:
    best: Values = {
        "num_conv_layers": 3, "subsample_type": "strided_conv", "activation": "relu", "learning_rate": 1e-2,
        "dropout_rate": 0.3,
    }  # fmt: skip

    def times_tried(proposals: str) -> int:
        tried = 0
        for seed in range(8):
            noise = np.random.default_rng(seed)
            spec = spec_of((Rung(trials=40, images=10),), proposals=proposals, seed=seed + 1)
            search = Halving(spec, search_space("cnn_bayesian"))
            while (ask := search.ask()) is not None:
                away = sum(ask.values[name] != value for name, value in best.items())
                tried += away == 0
                search.tell(ask.number, 0.05 * math.exp(away / 2 + noise.normal(0, 0.1)))
        return tried

    assert times_tried("model") > 5 * times_tried("random")


def test_the_oracle_has_kerastuners_interface(tmp_path: Any) -> None:
    spec = spec_of(rungs(3, 900, count=2), window=4)
    oracle = build_oracle(spec, search_space("cnn_learning_rate"), str(tmp_path))
    assert isinstance(oracle, HalvingOracle)
    first = [oracle.create_trial(f"worker-{number}") for number in range(4)]
    assert [trial.status for trial in first] == ["RUNNING"] * 3 + ["IDLE"]
    for trial in first[:3]:
        rate = trial.hyperparameters.get("learning_rate")
        oracle.update_trial(trial.trial_id, {"val_loss": rate})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    promoted = oracle.create_trial("worker-1")
    best = min(first[:3], key=lambda trial: trial.hyperparameters.get("learning_rate"))
    assert promoted.hyperparameters.values["tuner/trial_id"] == best.trial_id
    assert promoted.hyperparameters.values["tuner/budgets"] == (300, 900)


def test_fates_say_at_which_rung_a_trial_ended_and_why() -> None:
    trials = [
        examples.trial(1, 0.5, images=100), examples.trial(2, 0.2, images=100), examples.trial(3, 0.4, images=100),
        examples.trial(4, None, images=100), examples.trial(5, 0.1, images=300, rung=1, parent=2),
    ]  # fmt: skip
    fates = [trial.fate for trial in with_fates(trials)]
    assert fates == ["dropped: 3rd of 4, 1 goes on", "promoted", "dropped: 2nd of 4, 1 goes on", "failed", "finished"]


def last_rung(losses: dict[str, float], noise: float = 0.05) -> tuple[list[Trial], dict[int, np.ndarray]]:
    """Finalists by activation, with losses of 400 images whose means are given."""
    generator = np.random.default_rng(1)
    common = generator.exponential(1, 400)
    trials = [
        examples.trial(n + 1, mean, images=300, values={"activation": name})
        for n, (name, mean) in enumerate(losses.items())
    ]
    images = {
        n + 1: (common + generator.normal(mean, noise, 400)).astype(np.float32)
        for n, mean in enumerate(losses.values())
    }
    return trials, images


def test_a_winner_that_does_not_beat_what_it_started_from_does_not_replace_it() -> None:
    trials, losses = last_rung({"relu": 0.1, "tanh": 0.099})
    decision = decide(trials, losses, {"activation": "relu"}, classes=10)
    assert decision is not None
    assert not decision.replaced
    assert decision.interval[0] <= 0
    assert "stays" in decision.words


def test_a_clear_winner_replaces_it_however_much_images_differ() -> None:
    trials, losses = last_rung({"relu": 0.1, "tanh": 0.05, "elu": 0.2})
    decision = decide(trials, losses, {"activation": "relu"}, classes=10)
    assert decision is not None
    assert decision.replaced
    assert (decision.winner, decision.incumbent) == (2, 1)
    assert [one.trial for one in decision.finalists] == [2, 1, 3]
    assert 0 < decision.interval[0] < decision.difference < decision.interval[1]
    assert decision.best_probability > 0.95


def test_a_search_knows_when_it_has_seen_nothing() -> None:
    trials, losses = last_rung({"relu": 1.4, "tanh": 1.3})
    decision = decide(trials, losses, {"activation": "relu"}, classes=10)
    assert decision is not None
    assert not decision.replaced
    assert "seen nothing" in decision.words


def test_seeds_of_a_combination_are_one_finalist() -> None:
    trials, losses = last_rung({"relu": 0.1, "tanh": 0.05})
    again = [trial.model_copy(update={"number": trial.number + 2, "seed": 1}) for trial in trials]
    decision = decide([*trials, *again], losses | {3: losses[1], 4: losses[2]}, None, classes=10)
    assert decision is not None
    assert [one.seeds for one in decision.finalists] == [2, 2]


def test_a_proposal_of_a_recipe_changes_all_of_it() -> None:
    template = TrainingSpec(network="residual", hyperparameters={}, epochs=1)
    study = Study(name="s", space="residual_recipe", oracle=spec_of(rungs(3, 900)), template=template)
    values: Values = {
        "filters": 64, "optimizer": "sgd", "learning_rate_factor": 0.5, "weight_decay": 2e-3, "batch_size": 64,
        "selection": "random", "label_smoothing": 0.05, "rotation_range": 0.5, "shift_range": 0.1, "flip": "both",
    }  # fmt: skip
    spec = study.spec(Proposal(number=1, values=values, budgets=(100, 300), rung=1), train=500)
    assert spec.hyperparameters == {"filters": 64}
    assert (spec.optimizer.name, spec.optimizer.learning_rate, spec.optimizer.weight_decay) == ("sgd", 0.1, 2e-3)
    assert (spec.batch_size, spec.selection, spec.label_smoothing) == (64, "random", 0.05)
    ranges = Augmentation(rotation_range=0.5, width_shift_range=0.1, height_shift_range=0.1, flip="both")
    assert spec.augmentation == ranges
    assert sum(spec.shares or ()) * 500 == pytest.approx(300)
    none: Values = {"rotation_range": 0.0, "flip": "none"}
    assert study.spec(Proposal(number=2, values=none, budgets=(100,)), train=500).augmentation is None
