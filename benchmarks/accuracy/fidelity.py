"""How well cheap trials rank what dear ones would: rank correlations, and what the choice of the cheap ones costs.

    python -m benchmarks.accuracy.fidelity [--quick] [--json FILE]

Random proposals of a space are trained both ways, with the same seeds:

- fully connected (Hyperband's space, 5 epochs): batches of 256, as the pipeline trains, against the original's of 64;
- the grid: 3 epochs, as `standard` trains, against up to 20 with early stopping;
- CNN (the Bayesian search's space): epochs of two fifths of the images, one as in `standard` or two as in `full`,
  against four of all; and one of all, as the original trained.

"Regret" is how much higher the dear validation loss of the cheap trials' winner is than that of the dear ones' winner.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, report
from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import fastest_precision
from mnist_models.foundation.store import Store
from mnist_models.networks.by_name import Network
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool
from tasks.workers.process import quiet_import


@dataclass(frozen=True)
class Comparison:
    """Cheap trials of a space against dear ones: what they are called, and by what their specifications differ.

    Attributes:
        stops: Epochs after which the cheap trials might have stopped, and the dear ones: each is compared, too.
    """

    name: str
    sides: tuple[str, str]
    space: str
    network: Network
    trials: int
    cheap: dict[str, Any]
    dear: dict[str, Any]
    stops: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


COMPARISONS = (
    Comparison(
        "fully connected",
        ("batches of 256", "batches of 64"),
        "fully_connected_hyperband",
        "fully_connected",
        40,
        {"batch_size": 256, "epochs": 5, "keep": "last"},
        {"batch_size": 64, "epochs": 5, "keep": "last"},
    ),
    Comparison(
        "grid",
        ("3 epochs", "early stopping"),
        "fully_connected_grid",
        "fully_connected",
        24,
        {"batch_size": 256, "epochs": 3, "patience": 2},
        {"batch_size": 256, "epochs": 20, "patience": 2},
    ),
    Comparison(
        "CNN",
        ("two fifths of the images, 3 epochs", "all images, 4 epochs"),
        "cnn_bayesian",
        "cnn",
        16,
        {"batch_size": 256, "epochs": 3, "shares": (0.4,) * 3},
        {"batch_size": 256, "epochs": 4},
        stops=((1, 2), (1,)),
    ),
)


def main(options: argparse.Namespace) -> None:
    """Trains all trials of all comparisons, two at a time."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    with (
        tempfile.TemporaryDirectory(prefix="fidelity-") as folder,
        closing(LocalPool(2)) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        store = Store(Path(folder))
        dataset = preprocess(store, data=None, images=600 if options.quick else None, seed=1, key="dataset")
        for comparison in COMPARISONS:
            specs = _specs(comparison, 3 if options.quick else comparison.trials)
            cheap, dear = (
                list(threads.map(lambda spec: _train(pool, spec, dataset, store), side))
                for side in zip(*specs, strict=True)
            )
            figures += _figures(comparison, cheap, dear)
            claims += _claims(comparison, cheap, dear)
    report("Fidelity", figures, claims, options)


def _specs(comparison: Comparison, trials: int) -> list[tuple[TrainingSpec, TrainingSpec]]:
    """Pairs of specifications, cheap and dear, of random hyperparameters."""
    with quiet_import():
        from mnist_models.search.spaces import search_space

    generator = np.random.default_rng(1)
    pairs = []
    for _ in range(trials):
        values: dict[str, Any] = {}
        for hyperparameter in search_space(comparison.space).space:
            choices = list(hyperparameter.values)
            values[hyperparameter.name] = choices[generator.integers(len(choices))]
        common = {
            "network": comparison.network,
            "optimizer": Optimizer(learning_rate=values.pop("learning_rate", 1e-3)),
            "hyperparameters": values,
            "precision": fastest_precision(),
        }
        pairs.append((TrainingSpec(**common, **comparison.cheap), TrainingSpec(**common, **comparison.dear)))
    return pairs


def _train(pool: LocalPool, spec: TrainingSpec, dataset: DatasetReference, store: Store) -> TrainingResult:
    return pool.run(Turn(), fit, spec, dataset, store.root, key="trial")


def _losses(results: list[TrainingResult], stop: int | None = None) -> np.ndarray:
    """Validation losses of the trials, or of the best of their epochs until so many; a failed one is worse than any."""
    return np.array(
        [
            np.inf if one.failure else min(one.history["val_loss"][:stop]) if stop else one.metric("val_loss")
            for one in results
        ]
    )


def _figures(comparison: Comparison, cheap: list[TrainingResult], dear: list[TrainingResult]) -> list[Figure]:
    figures = []
    for side, results in zip(comparison.sides, (cheap, dear), strict=True):
        name = f"{comparison.name}, {side}"
        figures.append(Figure(f"{name}: validation loss", "nats", _losses(results).tolist()))
        figures.append(Figure(f"{name}: a trial", "s", [result.seconds for result in results]))
    return figures


def _claims(comparison: Comparison, cheap: list[TrainingResult], dear: list[TrainingResult]) -> list[Ratio]:
    low, high = _losses(cheap), _losses(dear)
    claims = []
    for side, results, stops in zip(comparison.sides, (cheap, dear), comparison.stops, strict=True):
        for epochs in stops:
            claims += _agreement(f"{comparison.name}, {side}, stopped after {epochs}", _losses(results, epochs), high)
    return [
        *claims,
        *_agreement(f"{comparison.name}, {comparison.sides[0]}", low, high),
        Ratio(f"{comparison.name}: cheap trials that end lower, share", float((low < high).mean())),
        Ratio(f"{comparison.name}: time, dear / cheap", sum(r.seconds for r in dear) / sum(r.seconds for r in cheap)),
    ]


def _agreement(name: str, guess: np.ndarray, high: np.ndarray) -> list[Ratio]:
    from scipy.stats import spearmanr  # KerasTuner's Bayesian oracle brings it

    return [
        Ratio(f"{name}: rank correlation", float(spearmanr(guess, high).statistic)),
        Ratio(f"{name}: regret, nats", float(high[guess.argmin()] - high.min())),
    ]


if __name__ == "__main__":
    main(arguments(__doc__).parse_args())
