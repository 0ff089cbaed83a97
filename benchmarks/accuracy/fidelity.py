"""How well each rung of a search ranks what training to the end would: rank correlations, and what a choice costs.

    python -m benchmarks.accuracy.fidelity [--profile NAME] [--only STUDY] [--trials N] [--quick] [--json FILE]

Combinations from all over a study's space (of the grid all) climb all rungs of a profile, none is dropped, and then
each is trained as a winner is. Of each rung: the rank correlation of its validation losses with those of the end, of
all combinations and of those that the rung before would have left; and the regret, how much higher the end of its best
is than the best end. The end is trained with two seeds and is their mean; how well one of them ranks the other is the
most that a rung can be asked for. Last, the regret of what a search would choose that drops the others on its way.
Hyperband's space is trained in batches of 256, as the pipeline does, and in the original's of 64, five epochs each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report
from flows.cnn import bayesian_study, finished
from flows.fully_connected import finished as finished_fully_connected
from flows.fully_connected import grid_study, hyperband_study
from flows.recipe import finished_recipe, recipe_study
from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.search.study import Proposal, Rung, Study, Values, apply_values
from mnist_models.surrogate.grid import Grid
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool
from tasks.workers.process import quiet_import

TRIALS = {"grid": 90, "architecture": 16, "recipe": 24, "batches": 40}
RANKS = 0.9  # asked for from the second rung on
FACTOR = 3  # one in so many climbs on
REGRET = {"grid": 0.005, "architecture": 0.002, "recipe": 0.002}  # nats
Train = Callable[[Sequence[TrainingSpec]], list[float]]


@dataclass(frozen=True)
class Climb:
    """A study whose rungs are compared with the end.

    Attributes:
        study: With one bracket.
        finish: How a winner is trained.
    """

    study: Study
    finish: Callable[[TrainingSpec], TrainingSpec]

    def specs(self, combinations: Sequence[Values], train: int) -> list[list[TrainingSpec]]:
        """The trainings of each rung, and of the end with two seeds."""
        [bracket] = self.study.oracle.brackets
        found = [
            [self._trial(values, bracket[: rung + 1], train) for values in combinations] for rung in range(len(bracket))
        ]
        end = [self.finish(apply_values(self.study.template, values)) for values in combinations]
        return [*found, end, [spec.model_copy(update={"seed": spec.seed + 1}) for spec in end]]

    def _trial(self, values: Values, steps: Sequence[Rung], train: int) -> TrainingSpec:
        [bracket] = self.study.oracle.brackets
        budgets = tuple(step.images for step in steps)
        last = len(steps) == len(bracket)
        return self.study.spec(
            Proposal(number=1, values=values, budgets=budgets, rung=len(steps) - 1, last=last), train
        )


def main(options: argparse.Namespace) -> None:
    """Trains all trials of all studies, two at a time."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    settings = (
        Settings(profile="quick", images=600, epoch_images=500) if options.quick else Settings(profile=options.profile)
    )
    with (
        tempfile.TemporaryDirectory(prefix="fidelity-") as folder,
        closing(LocalPool(2)) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        store = Store(Path(folder))
        dataset = preprocess(store, data=None, images=settings.images, seed=1, key="dataset")

        def train(spec: TrainingSpec) -> float:
            name = f"checkpoints/{spec.lineage()}.npz"
            result = pool.run(Turn(), fit, spec, dataset, store.root, key="trial", checkpoint=name)
            return float("inf") if result.failure else float(result.metric("val_loss") or 0)

        def train_all(specs: Sequence[TrainingSpec]) -> list[float]:
            return list(threads.map(train, specs))

        for name, climb in _climbs(settings, dataset).items():
            if options.only in (None, name):
                count = 3 if options.quick else options.trials or TRIALS[name]
                losses = [train_all(specs) for specs in climb.specs(_combinations(climb.study, count), dataset.train)]
                figures += [
                    Figure(f"{name}, {where}", "nats", some)
                    for where, some in zip(_places(losses), losses, strict=True)
                ]
                claims += _claims(name, np.array(losses))
        if options.only in (None, "batches"):
            claims += _batches(
                settings, dataset, train_all, 3 if options.quick else options.trials or TRIALS["batches"]
            )
    report(f"Fidelity, {settings.profile}", figures, claims, options)


def _climbs(settings: Settings, dataset: DatasetReference) -> dict[str, Climb]:
    return {
        "grid": Climb(
            grid_study(settings, dataset), lambda spec: finished_fully_connected(spec, settings, dataset, patience=2)
        ),
        "architecture": Climb(bayesian_study(settings), lambda spec: finished(spec, settings, dataset)),
        "recipe": Climb(recipe_study(settings), lambda spec: finished_recipe(spec, settings, dataset.train)),
    }


def _combinations(study: Study, count: int) -> list[Values]:
    """So many different ones from all over the space, or all that there are."""
    with quiet_import():
        from mnist_models.search.spaces import search_space

    grid, generator = Grid(search_space(study.space)), np.random.default_rng(1)
    return [grid.values(row) for row in grid.spread(count, generator)]


def _places(losses: Sequence[object]) -> list[str]:
    return [*(f"rung {number}" for number in range(1, len(losses) - 1)), "the end", "the end, another seed"]


def _claims(name: str, losses: np.ndarray) -> list[Ratio]:
    from scipy.stats import spearmanr  # keras-tuner[bayesian] brings it

    end, left = losses[-2:].mean(axis=0), np.arange(losses.shape[1])
    claims = [Ratio(f"{name}, the end's two seeds: rank correlation", float(spearmanr(*losses[-2:]).statistic))]
    for number, rung in enumerate(losses[:-2], start=1):
        ranks, correlation = f"{name}, rung {number}: rank correlation", float(spearmanr(rung, end).statistic)
        claims.append(at_least(ranks, correlation, 1.0, RANKS) if number > 1 else Ratio(ranks, correlation))
        if number > 1 and len(left) > 3:
            among, most = (float(spearmanr(*pair).statistic) for pair in ((rung[left], end[left]), losses[-2:, left]))
            claims.append(Ratio(f"{name}, rung {number}: of the {len(left)} that the rung before leaves", among))
            claims.append(Ratio(f"{name}, the end's two seeds: of the same {len(left)}", most))
        claims.append(Ratio(f"{name}, rung {number}: regret of its best, nats", float(end[rung.argmin()] - end.min())))
        left = left[np.argsort(rung[left])][: max(len(left) // FACTOR, 1)]
    regret = float(end[left[0]] - end.min())
    return [*claims, at_most(f"{name}: regret of the search's choice, nats", regret, REGRET[name])]


def _batches(settings: Settings, dataset: DatasetReference, train_all: Train, count: int) -> list[Ratio]:
    """Hyperband's space in batches of 256 against the original's of 64."""
    from scipy.stats import spearmanr

    study = hyperband_study(settings, dataset)
    specs = [apply_values(study.template, values) for values in _combinations(study, count)]
    changes = [{"batch_size": size, "epochs": 5, "shares": None, "keep": "last"} for size in (256, 64)]
    large, small = (np.array(train_all([spec.model_copy(update=change) for spec in specs])) for change in changes)
    return [
        Ratio("batches of 256 against 64: rank correlation", float(spearmanr(large, small).statistic)),
        Ratio("batches of 256 against 64: regret, nats", float(small[large.argmin()] - small.min())),
    ]


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--profile", default="standard", choices=["standard", "full"], help="(default: standard)")
    parser.add_argument("--only", choices=list(TRIALS), help="one of the studies (default: all)")
    parser.add_argument("--trials", type=int, help="combinations of each study (default: 8 to 90)")
    main(parser.parse_args())
