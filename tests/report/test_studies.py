"""The plots of studies: what they show, and that they can be drawn of whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mnist_models.report.drawing import TEST, render
from mnist_models.report.pictures import FEW_COLOURS
from mnist_models.report.run import StageResult
from mnist_models.report.studies import coordinates, study_plot
from mnist_models.report.studies.finalists import finalists
from mnist_models.report.studies.importance import importance
from mnist_models.report.studies.outcomes import outcomes
from mnist_models.report.studies.scales import scale
from mnist_models.search.trials import Trial
from tasks.artifacts import PICTURE_BYTES, leaderboard
from tests.examples import decision, halved_study, model, png_size, trial

HALVED = halved_study()


def stage(*trials: Trial, decided: bool | None = None) -> StageResult:
    """A stage with a study; whether its winner replaced what it started from, or None for no decision."""
    end = None if decided is None else decision(trials, decided)
    return StageResult(name="grid", model=model(), trials=trials, decision=end)


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


UNUSUAL: dict[str, tuple[Trial, ...]] = {
    "none": (),
    "one": (trial(1),),
    "all failed": (trial(1, None), trial(2, None)),
    "no hyperparameters": (trial(1, values={}),),
    "extreme losses": (trial(1, 0.0), trial(2, 1e12)),
    "many values": tuple(trial(n, 1 / n, values={"rate": 10.0 ** -(n / 9), "kind": "ab"[n % 2]}) for n in range(1, 40)),
    "equal losses": tuple(trial(n, 0.5, values={"rate": n, "kind": "ab"[n % 2]}) for n in range(1, 12)),
    "conditional, promoted": (
        trial(1, values={"a": 1}), trial(2, values={"b": "x"}), trial(3, parent=1, epochs=6), trial(4, parent=99),
    ),
}  # fmt: skip


@pytest.mark.parametrize("trials", UNUSUAL.values(), ids=UNUSUAL)
def test_plots_of_unusual_studies(trials: tuple[Trial, ...]) -> None:
    png_size(render(study_plot.study(stage(*trials))))
    if coordinates.shown_names(stage(*trials)):
        png_size(render(coordinates.hyperparameters(stage(*trials))))


def test_only_hyperparameters_that_differ_and_that_all_trials_have_are_shown() -> None:
    trials = [t.model_copy(update={"values": {**t.values, "always": 1}}) for t in HALVED]
    assert coordinates.shown_names(stage(*trials)) == list(HALVED[0].values)
    assert coordinates.shown_names(stage(*UNUSUAL["conditional, promoted"])) == []
    assert coordinates.shown_names(stage(trial(1, None))) == []


def test_every_value_of_a_long_name_is_labelled() -> None:
    names = ["activation_first", "activation_last"]
    trials = [
        trial(n + 1, 0.1 + n, values={"block_type": names[n % 2], **{f"h{i}": n for i in range(4)}}) for n in range(4)
    ]
    assert [text for text in texts(study_plot.study(stage(*trials))) if text in names] == names


def test_study_shows_failures_and_promotions() -> None:
    trials = (trial(1), trial(2, None), trial(3, 0.3), trial(4, 0.2, parent=1, epochs=6, seconds=0.75))
    figure = study_plot.study(stage(*trials))
    curves, anytime, values = figure.axes
    assert [text for text in texts(figure) if text in trials[0].values] == ["depth", "activation", "learning_rate"]
    crosses = [line for line in anytime.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[0.5]]  # seconds
    winner = next(line for line in curves.lines if line.get_color() == TEST)
    assert winner.get_xydata().tolist() == [[2, 0.5], [6, 0.2]]
    assert labels(figure) == ["2", "6 epochs", "best so far", "best", "1 failed"]
    assert sum(len(points.get_offsets()) for points in values.collections if points.get_offsets().any()) >= 6


def test_the_best_so_far_is_drawn_against_the_time_of_workers() -> None:
    trials = (trial(1, 0.5, seconds=2.0), trial(2, 0.7, seconds=3.0), trial(3, 0.2, seconds=7.0, parent=1))
    steps = next(line for line in study_plot.study(stage(*trials)).axes[1].lines if len(line.get_xdata()) > 1)
    assert list(steps.get_xdata()) == [2, 5, 10, 10]  # of the third, two seconds are the first's
    assert list(steps.get_ydata()) == [0.5, 0.5, 0.2, 0.2]


def test_curves_go_on_where_those_of_their_parents_ended() -> None:
    figure = study_plot.study(stage(*HALVED, decided=True))
    curves = next(item for item in figure.axes[0].collections if isinstance(item, LineCollection)).get_segments()
    assert len(curves) == 27 + 3  # one for each combination, and three with another seed
    longest = max(curves, key=len)
    assert [round(x) for x in longest[:, 0]] == [2000, 4000, 6000, 10000, 14000, 18000, 30000, 42000, 54000]
    ends = {trial.number: trial for trial in HALVED}
    assert longest[-1, 1] in {trial.val_loss for trial in ends.values()}
    assert labels(figure) == ["6,000", "18,000", "54,000 images", "best so far", "best", "started from"]


def test_a_cooldown_is_not_part_of_the_curve_that_goes_on() -> None:
    first = trial(1, 0.3, curve=(0.9, 0.8, 0.3), images=300)
    second = trial(2, 0.2, curve=(0.9, 0.8, 0.7, 0.2), images=900, parent=1)
    figure = study_plot.study(stage(first, second))
    winner = next(line for line in figure.axes[0].lines if line.get_color() == TEST)
    assert winner.get_xydata().tolist() == [[100, 0.9], [200, 0.8], [300, 0.3], [600, 0.7], [900, 0.2]]


def test_what_was_dropped_is_paler() -> None:
    seen = outcomes(stage(*HALVED))
    lightness = [np.mean(seen.shade(next(t for t in HALVED if t.rung == rung))[:3]) for rung in range(3)]
    assert lightness == sorted(lightness, reverse=True)
    assert len(set(lightness)) == 3


def test_study_marks_losses_that_would_flatten_all_others() -> None:
    trials = (trial(1, 0.1), trial(2, 0.2), trial(3, 0.15), trial(4, 1e6))
    figure = study_plot.study(stage(*trials))
    anytime = figure.axes[1]
    assert anytime.get_ylim()[1] < 2
    assert labels(figure)[-1] == "1 above 1.05"
    assert sum(len(points.get_offsets()) for points in anytime.collections) == 4


def test_values_have_places_in_their_order() -> None:
    few = scale([0.1, "none", 0.001, 0.1])
    assert few.places == [0.5, 1.0, 0.0, 0.5]
    assert few.ticks == [(0.0, "0.001"), (0.5, "0.1"), (1.0, "none")]
    many = scale([10.0**-n for n in range(12)])
    assert many.places == pytest.approx([1 - n / 11 for n in range(12)])
    assert [place for place, label in many.ticks if label == "0.1"] == pytest.approx([10 / 11])
    assert scale(list(range(0, 1200, 100))).places[:2] == pytest.approx([0, 1 / 11])


def trials_of(losses: list[float]) -> tuple[Trial, ...]:
    """Trials of two hyperparameters that are drawn at random."""
    generator = np.random.default_rng(1)
    rates, kinds = generator.choice([0.1, 0.01, 0.001], len(losses)), generator.choice(["a", "b"], len(losses))
    return tuple(
        trial(number, loss, values={"rate": float(rate), "kind": str(kind)})
        for number, (loss, rate, kind) in enumerate(zip(losses, rates, kinds, strict=True), start=1)
    )


def test_importance_finds_what_the_loss_depends_on() -> None:
    drawn = trials_of([1.0] * 40)
    made = [t.model_copy(update={"val_loss": 30 * float(t.values["rate"]) + 0.01 * (t.number % 3)}) for t in drawn]
    found = importance(outcomes(stage(*made)), ["rate", "kind"])
    assert found and not found.nothing
    assert found.explained > 0.8
    assert found.shares["rate"][0] > 0.8
    assert abs(found.shares["kind"][0]) < 0.1
    assert 0 < found.shares["rate"][1] < 0.5


def test_importance_says_when_there_is_nothing_to_explain() -> None:
    noise = trials_of(np.random.default_rng(2).lognormal(size=40).tolist())
    found = importance(outcomes(stage(*noise)), ["rate", "kind"])
    assert found and found.nothing
    assert any("explain nothing" in text for text in texts(coordinates.hyperparameters(stage(*noise))))


def test_importance_takes_off_what_training_further_gives() -> None:
    """The values decide nothing, rungs all."""
    trials = trials_of([0.5 + 0.001 * number for number in range(20)])
    further = [t.model_copy(update={"number": 20 + t.number, "parent": t.number, "rung": 1}) for t in trials[:7]]
    promoted = [t.model_copy(update={"val_loss": (t.val_loss or 0) / 10}) for t in further]
    seen = outcomes(stage(*trials, *promoted))
    found = importance(seen, ["rate", "kind"])
    assert found and found.nothing


@pytest.mark.parametrize("count", [0, 1, 7])
def test_few_trials_have_no_importance(count: int) -> None:
    assert importance(outcomes(stage(*trials_of([0.1 * n for n in range(1, count + 1)]))), ["rate", "kind"]) is None


def test_coordinates_end_at_the_loss_and_the_best_line_is_on_top() -> None:
    figure = coordinates.hyperparameters(stage(*HALVED, decided=True))
    axes = figure.axes[0]
    _, lines = (item for item in axes.collections if isinstance(item, LineCollection))  # the axes, the combinations
    segments = lines.get_segments()
    assert len(segments) == 27
    heights = [segment[-1, 1] for segment in segments]
    assert heights == sorted(heights, reverse=True)  # the lowest loss is drawn last
    (best,) = [line for line in axes.lines if line.get_color() == TEST]
    assert best.get_zorder() > lines.get_zorder()
    assert best.get_ydata()[-1] == pytest.approx(0)
    shown = texts(figure)
    assert {"muon", "sgd", "adam"} <= set(shown)


@pytest.mark.parametrize("replaced", [True, False])
def test_finalists_show_intervals_and_which_one_stays(replaced: bool) -> None:
    end = decision(HALVED, replaced)
    figure = finalists("grid", end)
    (axes,) = figure.axes
    drawn = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert drawn == [finalist.interval for finalist in end.finalists]
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert bold == [f"trial {end.winner} · best" if replaced else f"trial {end.incumbent} · what it started from"]
    assert to_hex(axes.patches[0].get_facecolor()) != "#ffffff"
    png_size(render(figure))


def test_pictures_of_a_large_study_are_small_enough_for_the_ui() -> None:
    large = stage(*halved_study(90), decided=True)
    assert len(render(study_plot.study(large))) <= PICTURE_BYTES
    assert len(render(coordinates.hyperparameters(large), FEW_COLOURS)) <= PICTURE_BYTES


def test_the_leaderboard_says_at_which_rung_a_trial_ended_and_why() -> None:
    best, *_, last = leaderboard(HALVED)
    assert {name: best[name] for name in ("rung", "images", "fate")} == {
        "rung": "3",
        "images": "54,000",
        "fate": "finished",
    }
    assert last["rung"] == "1"
    assert last["fate"] == "dropped: 27th of 27, 9 go on"
    assert not {"rung", "images", "fate"} & set(leaderboard([trial(1), trial(2)])[0])
