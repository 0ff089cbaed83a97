from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from keras_tuner import HyperParameters
from threadpoolctl import threadpool_limits

from mnist_models.search.spaces import search_space
from mnist_models.surrogate.grid import Grid
from mnist_models.surrogate.proposals import Observation, enough, fit, initial_design, propose
from mnist_models.surrogate.values import Values

SPACES = ["fully_connected_grid", "fully_connected_hyperband", "cnn_bayesian", "cnn_augmentation", "cnn_learning_rate"]


@pytest.fixture(autouse=True)
def _as_in_a_search() -> Iterator[None]:
    warnings.simplefilter("error")
    with threadpool_limits(1):
        yield


def small_space() -> HyperParameters:
    """2 × 3 × 1 combinations."""
    hp = HyperParameters()
    hp.Boolean("views")
    hp.Choice("optimizer", ["adam", "sgd", "muon"])
    hp.Choice("filters", [32])
    return hp


def networks() -> HyperParameters:
    """The original's 2,880 convolutional networks."""
    hp = HyperParameters()
    hp.Choice("num_conv_layers", [2, 3])
    hp.Choice("num_filters_first_layer", [16, 32])
    hp.Choice("num_filters_sub_layers", [32, 64])
    hp.Choice("kernel_size", [3, 5])
    hp.Choice("subsample_type", ["max_pool", "strided_conv"])
    hp.Choice("dense_layer_size", [64, 128, 256])
    hp.Choice("activation", ["relu", "tanh"])
    hp.Float("dropout_rate", 0.1, 0.5, step=0.1)
    hp.Choice("learning_rate", [1e-4, 1e-3, 1e-2])
    return hp


def known(values: Values) -> float:
    """A loss in nats that is least at one kind of those networks: 0.05."""
    away = (
        (values["num_conv_layers"] != 3)
        + (values["activation"] != "relu")
        + abs(math.log10(float(values["learning_rate"])) + 3)
        + 4 * abs(float(values["dropout_rate"]) - 0.3)
        + abs(math.log2(float(values["dense_layer_size"])) - 7) / 2
    )
    return 0.05 * math.exp(away)


def observe(
    space: HyperParameters, count: int, seed: int, score: Callable[[Values], float] = known, rung: int = 0
) -> list[Observation]:
    design = initial_design(space, count, np.random.default_rng(seed))
    return [Observation(values, rung, score(values)) for values in design]


def in_space(space: HyperParameters, values: Values) -> bool:
    names = [entry.name for entry in space.space]
    known = [[round(v, 10) if isinstance(v, float) else v for v in entry.values] for entry in space.space]
    return list(values) == names and all(values[name] in of for name, of in zip(names, known, strict=True))


@pytest.mark.parametrize("name", SPACES)
def test_proposals_are_new_combinations_of_the_space(name: str) -> None:
    space, generator = search_space(name), np.random.default_rng(1)
    seen = observe(space, 4, seed=1, score=lambda values: 0.1 + len(str(values)) % 7)
    pending: list[Values] = []
    for _ in range(4):
        values = propose(space, seen, pending, 0, generator)
        assert values is not None
        assert in_space(space, values)
        assert values not in [*pending, *(one.values for one in seen)]
        pending.append(values)


def test_equal_inputs_give_equal_proposals() -> None:
    space = networks()
    seen = [*observe(space, 20, seed=1), *observe(space, 5, seed=1, rung=1)]
    pending = initial_design(space, 3, np.random.default_rng(2))
    again = [propose(space, seen, pending, 1, np.random.default_rng(3)) for _ in range(3)]
    assert again[0] == again[1] == again[2]


def test_open_trials_are_believed_to_score_what_is_expected() -> None:
    """So nothing changes but how sure the model is of their surroundings: the next proposal lies elsewhere."""
    space = networks()
    grid = Grid(space)
    model = fit(grid, observe(space, 20, seed=1), 0)
    waiting = grid.positions(initial_design(space, 2, np.random.default_rng(2)))
    elsewhere = grid.some(50, np.random.default_rng(3))
    believing = model.believing(waiting)
    np.testing.assert_allclose(believing.predict(elsewhere)[0], model.predict(elsewhere)[0], atol=1e-6)
    here, there = (believing.predict(places)[1] / model.predict(places)[1] for places in (waiting, elsewhere))
    assert here.max() < np.quantile(there, 0.1)
    assert there.max() <= 1 + 1e-9


def test_what_is_not_known_of_any_trial_is_no_hope_for_one() -> None:
    """How high a rung lies is part of every deviation, and of no difference between what was seen at it."""
    space = networks()
    grid = Grid(space)
    seen = observe(space, 20, seed=1)
    places = grid.positions([one.values for one in seen])
    model = fit(grid, seen, 0)
    difference, deviation = model.above(places, places[:1])
    expected, deviation_with_level = model.predict(places)
    np.testing.assert_allclose(difference, expected - expected[0], atol=1e-9)
    assert deviation[0] < 1e-5
    assert (deviation < 0.5 * deviation_with_level).all()
    elsewhere = grid.some(50, np.random.default_rng(2))
    lower = fit(grid, [replace(one, score=one.score / 3) for one in seen], 0)
    for one, other in zip(lower.above(elsewhere, places[:1]), model.above(elsewhere, places[:1]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def trials_until_found(seed: int, model: bool) -> int:
    """How many trials it takes to find the best of 2,880 combinations; at most 60."""
    space, generator = networks(), np.random.default_rng(seed)
    seen = observe(space, enough(space), seed)
    while min(one.score for one in seen) > 0.051 and len(seen) < 60:
        values = propose(space, seen, [], 0, generator) if model else initial_design(space, 1, generator)[0]
        assert values is not None
        seen.append(Observation(values, 0, known(values)))
    return len(seen)


def test_the_best_is_found_in_far_fewer_trials_than_by_chance() -> None:
    modelled = [trials_until_found(seed, model=True) for seed in range(4)]
    by_chance = [trials_until_found(seed, model=False) for seed in range(4)]
    assert statistics.median(modelled) < 0.5 * statistics.median(by_chance)


def test_cheap_rungs_inform_of_the_top() -> None:
    """Two trials that reached the top say little; with thirty cheaper ones, the best is found."""
    space = networks()
    cheap = observe(space, 30, seed=5, score=lambda values: 3 * known(values))
    top = [Observation(one.values, 2, one.score / 3) for one in sorted(cheap, key=lambda one: one.score)[:2]]
    from_both, from_top = (
        propose(space, seen, [], 2, np.random.default_rng(6), explore=0) for seen in ([*cheap, *top], top)
    )
    assert from_both
    assert from_top
    assert known(from_both) < min(one.score for one in top)
    assert known(from_both) < known(from_top)


def test_a_small_space_is_exhausted() -> None:
    space, generator = small_space(), np.random.default_rng(7)
    seen: list[Observation] = []
    for number in range(6):
        values = propose(space, seen, [], 0, generator) if seen else initial_design(space, 1, generator)[0]
        assert values is not None
        seen.append(Observation(values, 0, 0.1 + number))
    assert {tuple(one.values.values()) for one in seen} == set(product([False, True], ["adam", "sgd", "muon"], [32]))
    assert propose(space, seen, [], 0, generator) is None
    assert propose(space, seen[:5], [seen[5].values], 0, generator) is None


@pytest.mark.parametrize(
    "scores",
    [[0.3], [0.3] * 10, [0.3, 1e300, 0.2, 2.3], [0.0, 0.0, 1.0], [1e-300, 0.1, 0.2]],
    ids=["one", "equal", "huge", "zero", "tiny"],
)
def test_any_scores_can_be_modelled(scores: list[float]) -> None:
    space = networks()
    values = initial_design(space, len(scores), np.random.default_rng(8))
    seen = [Observation(one, number % 2, score) for number, (one, score) in enumerate(zip(values, scores, strict=True))]
    proposed = propose(space, seen, [], 1, np.random.default_rng(9))
    assert proposed is not None
    assert in_space(space, proposed)


def test_how_bad_a_bad_trial_was_does_not_matter() -> None:
    space = networks()
    seen = observe(space, 20, seed=1)
    worst = max(range(20), key=lambda number: seen[number].score)
    proposals = []
    for score in (20.0, 1e6):
        seen[worst] = replace(seen[worst], score=score)
        proposals.append(propose(space, seen, [], 0, np.random.default_rng(1), explore=0))
    assert proposals[0] == proposals[1]


def test_a_share_of_the_proposals_is_without_the_model() -> None:
    """They come from anywhere; those of the model, from near the best."""
    space = networks()
    seen = observe(space, 40, seed=1)
    proposed = {
        share: [propose(space, seen, [], 0, np.random.default_rng(seed), explore=share) for seed in range(8)]
        for share in (0.0, 1.0)
    }
    expected = {share: statistics.median(known(values) for values in all if values) for share, all in proposed.items()}
    assert expected[0.0] < min(one.score for one in seen) < expected[1.0]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_must_be_finite(score: float) -> None:
    space = networks()
    (values,) = initial_design(space, 1, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"Expected finite scores, log\(classes\) for failures.*(nan|inf)"):
        propose(space, [Observation(values, 0, score)], [], 0, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"Received: \[\]"):
        propose(space, [], [], 0, np.random.default_rng(1))


def test_a_value_that_the_space_lacks_lies_between_its_neighbours() -> None:
    space = networks()
    (values,) = initial_design(space, 1, np.random.default_rng(1))
    grid = Grid(space)
    at = [one.name for one in grid.dimensions].index("dropout_rate")
    assert grid.positions([{**values, "dropout_rate": 0.25}])[0, at] == pytest.approx(1.5)
    assert propose(space, [Observation({**values, "dropout_rate": 0.25}, 0, 0.1)], [], 0, np.random.default_rng(1))


def test_numbers_lie_in_order_and_names_apart() -> None:
    grid = Grid(small_space())
    optimizers = grid.coordinates(np.array([[0.0, i, 0.0] for i in range(3)]))
    distances = np.square(optimizers[:, None] - optimizers[None, :]).sum(-1)
    np.testing.assert_allclose(distances, 1 - np.eye(3))
    rates = Grid(search_space("cnn_learning_rate"))
    assert (np.diff(rates.coordinates(np.arange(8.0)[:, None])[:, 0]) > 0).all()


@pytest.mark.parametrize("name", SPACES)
def test_an_initial_design_covers_every_value(name: str) -> None:
    space = search_space(name)
    count = max(Grid(space).shape)
    design = initial_design(space, 3 * count, np.random.default_rng(1))
    assert len({tuple(values.items()) for values in design}) == min(3 * count, Grid(space).size)
    for entry in space.space:
        assert len({values[entry.name] for values in design}) == len(list(entry.values))


def test_an_initial_design_is_the_same_for_a_seed() -> None:
    space = networks()
    first, again, other = (initial_design(space, 9, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
