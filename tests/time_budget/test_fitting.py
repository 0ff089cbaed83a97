"""Budgets that fill a time: they add up, keep to their floors, and leave alone what was set by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.candidates import plan_candidates
from flows.cnn import PORTFOLIO, augmentation_study, bayesian_study, plan_augmentation
from flows.fully_connected import grid_study, plan_grid
from flows.recipe import recipe_study
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import PROFILES, Settings
from mnist_models.search.study import apply_values
from mnist_models.time_budget.fitting import BUDGETS, LARGEST, SMALLEST, TimeTooShortError, fit_budgets, scaled
from mnist_models.training.cost import IMAGE, NEW, Costs
from tasks.planning import plan_study
from tasks.progress import Progress
from tasks.time_budget import Estimate, Planner

BY_HAND = st.fixed_dictionaries(
    {},
    optional={
        "grid_trials": st.integers(1, 40),
        "bayesian_trials": st.integers(1, 9),
        "recipe_epochs": st.floats(0.1, 2),
        "final_seeds": st.integers(2, 4),
    },
)


def data(train: int = 2_500) -> DatasetReference:
    """The record of a data set whose images nobody reads."""
    return DatasetReference(
        key="dataset", fingerprint="0", source="none", image_shape=(28, 28, 1), classes=10,
        train=train, validation=train // 5, test=train // 5, files={},
    )  # fmt: skip


def estimate(speed: float = 1.0, train: int = 2_500, planner: Planner = plan_candidates) -> Estimate:
    """How long runs take on a machine of another speed."""
    new = {kind: seconds / speed for kind, seconds in NEW.items()}
    image = {kind: seconds / speed for kind, seconds in IMAGE.items()}
    return Estimate(planner, data(train), Costs(new=new, image=image))


@given(
    by_hand=BY_HAND,
    minutes=st.floats(0.3, 8),
    speed=st.floats(0.3, 10),
    workers=st.integers(1, 4),
    train=st.integers(500, 20_000),
)
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # a shrink takes long
def test_a_plan_adds_up_to_its_time(
    by_hand: dict[str, Any], minutes: float, speed: float, workers: int, train: int
) -> None:
    asked = Settings(profile="quick", minutes=minutes, workers=workers, **by_hand)
    cost = estimate(speed, train).seconds
    try:
        fitted = fit_budgets(asked, 60 * minutes, cost)
    except TimeTooShortError:
        assert cost(asked.model_copy(update=dict(scaled(asked, SMALLEST)))) > 60 * minutes
        return
    chosen = Settings(**{**asked.model_dump(), **fitted.budgets})  # every one is a value that a user might give
    assert cost(chosen) == pytest.approx(fitted.seconds)
    assert fitted.seconds <= 60 * minutes
    more = scaled(asked, fitted.factor * 1.01)
    assert not fitted.full or more == fitted.budgets or cost(asked.model_copy(update=dict(more))) > 60 * minutes
    assert fitted.full or fitted.factor == LARGEST
    standard = Settings(profile="quick")
    for name, value in by_hand.items():
        assert getattr(chosen, name) == value or getattr(standard, name) == value


@given(minutes=st.floats(0.5, 1_000), workers=st.integers(1, 8), profile=st.sampled_from(["quick", "standard", "full"]))
@settings(max_examples=25, deadline=None)
def test_a_stage_alone_fills_its_time(minutes: float, workers: int, profile: Any) -> None:
    """Nothing is left over but what one more combination or epoch would take."""
    asked = Settings(profile=profile, minutes=minutes, workers=workers)
    fitted = fit_budgets(asked, 60 * minutes, estimate(planner=plan_grid).seconds)
    assert fitted.seconds <= 60 * minutes
    assert not fitted.full or fitted.seconds > 0.8 * 60 * minutes


@pytest.mark.parametrize("profile", PROFILES)
def test_the_factor_one_is_the_profile(profile: Any) -> None:
    asked = Settings(profile=profile)
    for name, value in scaled(asked, 1.0).items():
        assert value == (getattr(asked, name) or BUDGETS[name].most), name


@given(low=st.floats(SMALLEST, LARGEST), high=st.floats(SMALLEST, LARGEST), profile=st.sampled_from(list(PROFILES)))
@settings(deadline=None)
def test_more_time_never_makes_a_budget_smaller(low: float, high: float, profile: Any) -> None:
    asked = Settings(profile=profile)
    smaller, larger = scaled(asked, min(low, high)), scaled(asked, max(low, high))
    assert smaller.keys() == larger.keys() == BUDGETS.keys()
    assert all(smaller[name] <= larger[name] for name in smaller)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_search_gets_too_small_to_mean_something(profile: Any) -> None:
    asked = Settings(profile=profile)
    smallest = asked.model_copy(update=dict(scaled(asked, SMALLEST)))
    for study in (bayesian_study(smallest), recipe_study(smallest), grid_study(smallest, data())):
        [bracket] = study.oracle.brackets
        assert bracket[0].trials >= 4, study.name
        assert bracket[0].images >= 1_999, study.name
    assert smallest.final_epochs * smallest.epoch_images >= 10_000


def test_whichever_of_the_portfolio_wins_does_not_take_longer_than_planned() -> None:
    asked, planned = Settings(profile="standard"), Progress()
    plan_augmentation(asked, data(), planned)
    trials = planned.stages["cnn_augmentation"].trainings
    for values in PORTFOLIO:
        won = apply_values(bayesian_study(asked).template, values)
        costs = plan_study(augmentation_study(asked, won), data(), Progress())
        assert all(cost <= trials[f"trial {number}"].expected for number, cost in enumerate(costs, start=1))


def test_too_little_time_is_refused_with_the_time_that_it_takes() -> None:
    cost = estimate().seconds
    with pytest.raises(TimeTooShortError, match="Received: --minutes 0.25") as error:
        fit_budgets(Settings(profile="quick", minutes=0.25, workers=2), 15, cost)
    needed = float(re.findall(r"Expected at least ([0-9.]+) minutes", str(error.value))[0])
    assert fit_budgets(Settings(profile="quick", minutes=needed, workers=2), 60 * needed, cost).seconds <= 60 * needed


def test_time_that_cannot_be_filled_is_said() -> None:
    fitted = fit_budgets(Settings(profile="quick", minutes=1e6), 6e7, estimate(planner=plan_grid).seconds)
    assert not fitted.full
    assert fitted.factor == LARGEST
