"""Our cheap CNN trials against what the original project recorded of the same architectures: a check nobody here tuned.

    python -m benchmarks.accuracy.original_record [--quick] [--json FILE]

`benchmarks/peers/original_cnn_trials.csv` holds the hyperparameters and losses of its 200 trials of one epoch; they are
of 42 combinations only, one of them tried 96 times, whose losses are averaged. Ours are
those that the search of architectures in `standard` begins with: its first rung (3,333 images), with our blocks and
with the original's, which also climb to the second rung (10,000 images). The original's validation losses are in part
those of networks whose statistics of batch normalisation have not settled (momentum 0.99), so its training losses,
which do not depend on these, are compared, too.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, report
from flows.cnn import bayesian_study
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.networks.cnn import BlockType
from mnist_models.search.study import Proposal, Study
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool

RECORD = Path(__file__).parents[1] / "peers" / "original_cnn_trials.csv"
INTEGERS = ("num_conv_layers", "num_filters_first_layer", "num_filters_sub_layers", "kernel_size", "dense_layer_size")
FLOATS = ("dropout_rate", "learning_rate")
HYPERPARAMETERS = (*INTEGERS, *FLOATS, "subsample_type", "activation")
SIDES: dict[str, tuple[BlockType, int]] = {
    "our blocks, first rung": ("activation_last", 0),
    "the original's blocks, first rung": ("activation_first", 0),
    "the original's blocks, second rung": ("activation_first", 1),
}


def read_record() -> list[dict[str, Any]]:
    """Returns the original's combinations: hyperparameters, and the mean `loss` and `val_loss` of each one's trials."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    with RECORD.open() as file:
        for row in csv.DictReader(file):
            found.setdefault(tuple(row[name] for name in HYPERPARAMETERS), []).append(row)
    return [_combination(trials) for trials in found.values()]


def _combination(trials: list[dict[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {name: trials[0][name] for name in HYPERPARAMETERS}
    values |= {name: int(values[name]) for name in INTEGERS} | {name: float(values[name]) for name in FLOATS}
    return values | {name: float(np.mean([float(trial[name]) for trial in trials])) for name in ("loss", "val_loss")}


def spec_of(row: dict[str, Any], block_type: BlockType, rung: int, study: Study, train: int) -> TrainingSpec:
    """The trial of an architecture of the record at one of the rungs."""
    [bracket] = study.oracle.brackets
    values = {name: row[name] for name in HYPERPARAMETERS} | {"block_type": block_type}
    budgets = tuple(step.images for step in bracket[: rung + 1])
    return study.spec(Proposal(number=1, values=values, budgets=budgets, rung=rung, last=False), train)


def losses(results: list[TrainingResult], name: str) -> np.ndarray:
    """A loss of each trial; a failed one is worse than any."""
    return np.array([np.inf if one.failure else one.history[name][-1] for one in results])


def main(options: argparse.Namespace) -> None:
    """Trains all sides, two trials at a time, and prints."""
    from scipy.stats import spearmanr  # keras-tuner[bayesian] brings it

    record = read_record()[: 3 if options.quick else None]
    figures = [Figure("the original: validation loss", "nats", [row["val_loss"] for row in record])]
    claims = []
    with (
        tempfile.TemporaryDirectory(prefix="record-") as folder,
        closing(LocalPool(2)) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        store = Store(Path(folder))
        images = 600 if options.quick else None
        dataset = preprocess(store, data=None, images=images, seed=1, key="dataset")
        study = bayesian_study(Settings(epoch_images=500) if options.quick else Settings())

        def train(spec: TrainingSpec) -> TrainingResult:
            name = f"checkpoints/{spec.lineage()}.npz"
            return pool.run(Turn(), fit, spec, dataset, store.root, key="trial", checkpoint=name)

        for side, (block_type, rung) in SIDES.items():
            results = list(threads.map(train, [spec_of(row, block_type, rung, study, dataset.train) for row in record]))
            figures.append(Figure(f"{side}: validation loss", "nats", losses(results, "val_loss").tolist()))
            figures.append(Figure(f"{side}: a trial", "s", [result.seconds for result in results]))
            for name in ("val_loss", "loss"):
                theirs = np.array([row[name] for row in record])
                agreement = spearmanr(losses(results, "val_loss"), theirs).statistic
                claims.append(Ratio(f"{side}: rank correlation with the original's {name}", float(agreement)))
    report("The original's record", figures, claims, options)


if __name__ == "__main__":
    main(arguments(__doc__).parse_args())
