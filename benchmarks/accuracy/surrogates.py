"""What proposals come from: how well models of scores predict recorded trials, and how soon they find the best of them.

    python -m benchmarks.accuracy.surrogates [--quick] [--json FILE]

`benchmarks/peers/trials` holds trials that were trained once, with their validation losses; nothing is trained here.
Those of the original project are its Hyperband's over fully connected networks and its Bayesian search's over
augmentations. Ours are random combinations, trained for nine epochs on 5,000 images: of Hyperband's space and of twelve
hyperparameters of the residual network's recipe. The models are KerasTuner's process, as it is and of logarithms; a
forest as SMAC's; densities as BOHB's; and ours, also without priors and with those of Hvarfner et al. (2024).

- Predicting: n trials of a record are seen, the rest predicted; rank correlation with what they scored, and mean log
  density of the better half (nats), over random splits.
- Searching: eight random trials of a record, then what each model proposes among the rest; trials until one of the best
  twentieth is found, and how far the best of 25 is from the best of all (nats, of the logarithm), over random starts.
- Rungs: the trials' losses after fewer epochs are seen, and n after the most; the rest of those are predicted.
- Made-up losses: the lowest that proposals find, with the model, at random, and with a share at random.
- A proposal at 100 observations of 16 hyperparameters.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from keras_tuner import HyperParameters
from scipy.stats import norm, spearmanr
from threadpoolctl import threadpool_limits

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from benchmarks.peers.recorded_trials import Record, read_record, shuffled, whole
from benchmarks.peers.surrogate_models import Densities, Exploring, Fit, Forest, KerasTuner, Model, Ours
from mnist_models.surrogate import proposals as surrogate
from mnist_models.surrogate.grid import Grid
from mnist_models.surrogate.proposals import Observation, initial_design, propose
from mnist_models.surrogate.values import Values

FOLDER = Path(__file__).parents[1] / "peers" / "trials"
SEEN = (10, 20, 40, 80)
FEWEST = 15  # left to predict
INITIAL, BUDGET = 8, 30
BEST = 0.05


def fit_with(**settings: object) -> Fit:
    """Our model with other settings."""

    def fitted(grid: Grid, seen: list[Observation]) -> Model:
        with patch.multiple(surrogate, **settings):
            return Ours(grid, seen)

    return fitted


MODELS: dict[str, Fit] = {
    "KerasTuner": KerasTuner,
    "KerasTuner, logs": partial(KerasTuner, logarithms=True),
    "forest": Forest,
    "densities": Densities,
    "ours, no priors": fit_with(LENGTH=(0.0, 30.0), NOISE=(-2.0, 30.0)),
    "ours, Hvarfner": fit_with(LENGTH=(2**0.5, 3**0.5), NOISE=(-4.0, 1.0)),
    "ours": Ours,
}


def predict(fit: Callable[[], Model], grid: Grid, hidden: list[Observation]) -> tuple[float, float | None]:
    """Rank correlation with what hidden trials scored, and mean log density of the better half, in nats."""
    mean, deviation = fit().log_scores(grid.positions([one.values for one in hidden]))
    scores = np.log([one.score for one in hidden])
    correlation = 0.0 if np.ptp(mean) == 0 else float(spearmanr(mean, scores).statistic)  # all alike: no order
    if deviation is None:
        return correlation, None
    better = scores <= np.median(scores)
    return correlation, float(norm.logpdf(scores, mean, deviation + 1e-9)[better].clip(-20).mean())


def predicting(records: list[Record], splits: int) -> Iterator[Figure]:
    """How well each model predicts, over all records that are long enough."""
    for seen in SEEN:
        long_enough = [record for record in records if len(whole(record)) >= seen + FEWEST]
        parts = [(Grid(one.space), shuffled(whole(one), seen, split)) for one in long_enough for split in range(splits)]
        for name, fit in MODELS.items():
            pairs = [predict(partial(fit, grid, trials[:seen]), grid, trials[seen:]) for grid, trials in parts]
            yield Figure(f"{seen} seen, rank correlation: {name}", "", [correlation for correlation, _ in pairs])
            densities = [density for _, density in pairs if density is not None]
            if densities:
                yield Figure(f"{seen} seen, log density: {name}", "nats", densities)


def at_bound(records: list[Record], splits: int) -> float:
    """In how many of 100 fits KerasTuner's process ends with a length that makes all combinations strangers."""
    fits = [
        KerasTuner(Grid(record.space), shuffled(whole(record), seen, split)[:seen]).at_bound
        for record in records
        for seen in SEEN
        for split in range(splits)
        if len(whole(record)) >= seen + FEWEST
    ]
    return 100 * float(np.mean(fits))


def search(fit: Fit | None, grid: Grid, trials: list[Observation]) -> list[float]:
    """The scores of trials in the order that a model proposes them; None proposes in the order given."""
    seen, rest = list(trials[:INITIAL]), list(trials[INITIAL:])
    while fit and rest and len(seen) < BUDGET:
        appeal = fit(grid, seen).appeal(grid.positions([one.values for one in rest]))
        seen.append(rest.pop(int(np.argmax(appeal))))
    return [one.score for one in (seen if fit else trials)][:BUDGET]


def searching(records: list[Record], starts: int) -> Iterator[Figure]:
    """How soon each model finds a record's best."""
    for record in records:
        grid, scores = Grid(record.space), np.sort([one.score for one in whole(record)])
        good = scores[int(BEST * len(scores))]
        for name, fit in {"random": None, **MODELS, "ours, a sixth at random": Exploring}.items():
            runs = [np.array(search(fit, grid, shuffled(whole(record), start))) for start in range(starts)]
            first = [float(np.argmax(np.append(run, 0.0) <= good)) + 1 for run in runs]  # never: the budget and one
            regret = [float(np.log(run[:25].min() / scores[0])) for run in runs]
            yield Figure(f"{record.name}, until one of the best: {name}", "trials", first)
            yield Figure(f"{record.name}, regret of 25 trials: {name}", "nats", regret)


def rungs(records: list[Record], splits: int) -> Iterator[Figure]:
    """Whether losses after fewer epochs help to predict those after more, of combinations that were never trained."""
    for record in (one for one in records if len(one.epochs) > 1):
        grid, top = Grid(record.space), min(2, len(record.epochs) - 1)
        for seen in (0, 3, 6, 12):
            correlations = [rungs_of_one(record, grid, top, seen, split) for split in range(splits)]
            after = f"{record.name}, {seen} seen after {record.epochs[top]} epochs, rank correlation"
            yield Figure(f"{after}: these alone", "", [alone for alone, _ in correlations])
            yield Figure(f"{after}: all rungs", "", [both for _, both in correlations])


def rungs_of_one(record: Record, grid: Grid, top: int, seen: int, split: int) -> tuple[float, float]:
    """Rank correlations for a third of the trials: predicted from some others' top rung alone, and from all rungs."""
    trials = shuffled([one for one in record.trials if one.rung == top], seen, split)
    hidden, known = trials[: len(trials) // 3], trials[len(trials) // 3 :][:seen]
    secret = [one.values for one in hidden]
    cheap = [one for one in record.trials if one.rung < top and one.values not in secret]
    both, _ = predict(partial(Ours, grid, cheap + known, top), grid, hidden)
    return predict(partial(Ours, grid, known, top), grid, hidden)[0] if known else 0.0, both


def made_space() -> HyperParameters:
    """Eight numbers, four names and two switches."""
    space = HyperParameters()
    for number in range(8):
        space.Choice(f"number_{number}", list(range(6)))
    for number in range(4):
        space.Choice(f"name_{number}", ["a", "b", "c"])
    for number in range(2):
        space.Boolean(f"switch_{number}")
    return space


def made_loss(grid: Grid, seed: int) -> Callable[[Values], float]:
    """Logarithm of a loss over it: a bowl, four pairs of numbers that depend on each other, and names that add."""
    generator = np.random.default_rng(seed)
    weights, best = generator.exponential(1.2, 8), generator.integers(0, 6, 8)
    pairs, strengths = generator.integers(0, 8, (2, 4)), generator.normal(0, 1, 4)
    names = generator.normal(0, 0.3, (6, 3))

    def loss(values: Values) -> float:
        position = grid.positions([values])[0]
        away = (position[:8] - best) / 5
        added = names[np.arange(6), position[8:].astype(int)].sum()
        return float(weights @ away**2 + strengths @ (away[pairs[0]] * away[pairs[1]]) + added)

    return loss


def making_up(landscapes: int) -> Iterator[Figure]:
    """The lowest of 60 trials, 9 of a first design, seen with noise: what proposals without the model are good for."""
    space = made_space()
    for share in (0.0, 1 / 6, 1 / 3, 0.5, 1.0):
        lowest = []
        for seed in range(landscapes):
            generator, loss = np.random.default_rng([1, seed]), made_loss(Grid(space), seed)
            tried, seen = initial_design(space, 9, generator), list[Observation]()
            while len(seen) < 60:
                values = tried[len(seen)] if len(seen) < 9 else propose(space, seen, [], 0, generator, explore=share)
                assert values is not None
                seen.append(Observation(values, 0, float(np.exp(loss(values) + generator.normal() / 10))))
            lowest.append(min(loss(one.values) for one in seen))
        yield Figure(f"made-up losses, lowest of 60: {100 * share:.0f} % at random", "nats", lowest)


def proposal_seconds(repetitions: int) -> list[float]:
    """What a proposal takes at 100 observations on two rungs, two trials open, of 16 hyperparameters."""
    space, generator = HyperParameters(), np.random.default_rng(1)
    for number in range(12):
        space.Float(f"number_{number}", 0.0, 1.0, step=0.1)
    for number in range(4):
        space.Choice(f"name_{number}", ["a", "b", "c"])
    design = initial_design(space, 77, generator)
    seen = [Observation(one, 0, float(np.exp(one["number_0"] + generator.normal() / 9))) for one in design[:75]]
    seen += [Observation(one.values, 1, one.score / 2) for one in sorted(seen, key=lambda one: one.score)[:25]]
    seconds = []
    for repetition in range(repetitions):
        begun = time.perf_counter()
        propose(space, seen, design[75:], 1, np.random.default_rng(repetition), explore=0)
        seconds.append(time.perf_counter() - begun)
    return seconds


def main(options: argparse.Namespace) -> None:
    """Reads the records, fits, and prints."""
    warnings.filterwarnings("ignore", module="sklearn")  # KerasTuner's process says that its length is at its bound
    paths = sorted(FOLDER.glob("original_fully_connected.csv" if options.quick else "*.csv"))
    records = [read_record(path) for path in paths]
    splits, starts = (1, 1) if options.quick else (options.splits, options.starts)
    with threadpool_limits(1):
        times = Figure("a proposal of ours", "ms", [1000 * one for one in proposal_seconds(3 if options.quick else 20)])
        figures = [times, *predicting(records, splits), *searching(records, starts), *rungs(records, splits)]
        figures += making_up(1 if options.quick else options.landscapes)
        bound = at_bound(records, splits)
    trials = {name: [v for f in figures if f.name.endswith(f"one of the best: {name}") for v in f.values]
              for name in ("random", "KerasTuner", "ours")}  # fmt: skip
    mean = {name: float(np.mean(values)) for name, values in trials.items()}
    claims = [
        at_most("a proposal at 100 observations of 16 hyperparameters, ms", times.median, 50),
        Ratio("fits of KerasTuner's process whose length ends at its bound, %", bound),
        at_most("trials until one of the best, ours to random's", mean["ours"] / mean["random"], 1),
        at_most("trials until one of the best, ours to KerasTuner's", mean["ours"] / mean["KerasTuner"], 1),
    ]
    report("What proposals come from", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--splits", type=int, default=20, help="random splits of a record into seen and hidden trials")
    parser.add_argument("--starts", type=int, default=12, help="random starts of a search")
    parser.add_argument("--landscapes", type=int, default=24, help="of made-up losses")
    main(parser.parse_args())
