"""Our cheap CNN trials against what the original project recorded of the same architectures: a check nobody here tuned.

    python -m benchmarks.accuracy.original_record [--trials N] [--quick] [--json FILE]

`benchmarks/peers/original_cnn_trials.csv` holds the hyperparameters and losses of its 200 trials of one epoch. Ours are
trained for one epoch of two fifths of the images, without rungs or cooldown, once with our blocks and once with the
original's; those also on all images, which is what it did but for the momentum of batch normalisation (ours 0.9; with
Keras' 0.99 its validation losses are those of a network whose statistics have not settled). A training loss is
compared, too, as the original's does not depend on them.
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
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings, fastest_precision
from mnist_models.foundation.store import Store
from mnist_models.networks.cnn import BlockType
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.training.loop import fit
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool

RECORD = Path(__file__).parents[1] / "peers" / "original_cnn_trials.csv"
INTEGERS = ("num_conv_layers", "num_filters_first_layer", "num_filters_sub_layers", "kernel_size", "dense_layer_size")
SIDES: dict[str, tuple[BlockType, float]] = {
    "our blocks, two fifths of the images": ("activation_last", 0.4),
    "the original's blocks, two fifths of the images": ("activation_first", 0.4),
    "the original's blocks, all images": ("activation_first", 1.0),
}


def read_record() -> list[dict[str, Any]]:
    """Returns the original's trials: hyperparameters, `loss` and `val_loss` of each."""
    with RECORD.open() as file:
        rows = list(csv.DictReader(file))
    floats = ("dropout_rate", "learning_rate", "loss", "val_loss")
    return [{**row} | {n: int(row[n]) for n in INTEGERS} | {n: float(row[n]) for n in floats} for row in rows]


def spec_of(row: dict[str, Any], block_type: BlockType, share: float) -> TrainingSpec:
    """One epoch of an architecture of the record."""
    names = (*INTEGERS, "subsample_type", "activation", "dropout_rate")
    return TrainingSpec(
        network="cnn",
        hyperparameters={name: row[name] for name in names} | {"block_type": block_type},
        optimizer=Optimizer(learning_rate=row["learning_rate"]),
        batch_size=256,
        epochs=1,
        shares=None if share == 1 else (share,),
        precision=fastest_precision(),
    )


def losses(results: list[TrainingResult], name: str) -> np.ndarray:
    """A loss of each trial; a failed one is worse than any."""
    return np.array([np.inf if one.failure else one.history[name][0] for one in results])


def main(options: argparse.Namespace) -> None:
    """Trains all sides, two trials at a time, and prints."""
    from scipy.stats import spearmanr  # keras-tuner[bayesian] brings it

    rows = read_record()
    chosen = np.random.default_rng(1).permutation(len(rows))[: 3 if options.quick else options.trials]
    record = [rows[number] for number in sorted(chosen)]
    figures = [Figure("the original: validation loss", "nats", [row["val_loss"] for row in record])]
    claims = []
    with (
        tempfile.TemporaryDirectory(prefix="record-") as folder,
        closing(LocalPool(2)) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        store = Store(Path(folder))
        images = 600 if options.quick else Settings().images
        dataset = preprocess(store, data=None, images=images, seed=1, key="dataset")
        for side, (block_type, share) in SIDES.items():
            specs = [spec_of(row, block_type, share) for row in record]
            train = lambda spec: pool.run(Turn(), fit, spec, dataset, store.root, key="trial")  # noqa: E731
            results = list(threads.map(train, specs))
            figures.append(Figure(f"{side}: validation loss", "nats", losses(results, "val_loss").tolist()))
            figures.append(Figure(f"{side}: a trial", "s", [result.seconds for result in results]))
            for name in ("val_loss", "loss"):
                theirs = np.array([row[name] for row in record])
                agreement = spearmanr(losses(results, "val_loss"), theirs).statistic
                claims.append(Ratio(f"{side}: rank correlation with the original's {name}", float(agreement)))
    report("The original's record", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=200, help="of the record, drawn at random (default: all 200)")
    main(parser.parse_args())
