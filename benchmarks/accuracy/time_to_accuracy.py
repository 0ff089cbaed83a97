"""Time to 99.5 % mean test accuracy, against the time after which the original's recipe stops.

    python -m benchmarks.accuracy.time_to_accuracy

Ours: a short schedule of the residual network, at several lengths, `--seeds` seeds each, trained on all 60,000 training
images on one thread, weights of the last epoch; the length that counts is the first whose mean reaches 99.5 %.
Peer: the original's final recipe in plain Keras on all cores (`benchmarks/original.py`), which stops by itself.

Every training is a process of its own. Its time runs from the start of that process to the end of the training: Python,
imports, reading the images, building, tracing and training, and for ours writing the weights. Evaluation on the test
set comes after and is not counted, on either side; nor is our preprocessing, once for all, of less than a second. With
more than one worker, ours share the machine with one another, which makes each slower; the peer runs alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_least, report
from benchmarks.peers.original import train_original
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.processor import fastest_precision
from mnist_models.foundation.store import Store
from mnist_models.judging.evaluation import evaluate_final
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool

ACCURACY = 99.5  # percent, mean over the seeds
TIMES_AS_FAST = 10
SCHEDULES: tuple[tuple[float, ...], ...] = ((1.0,), (1.0, 0.2), (1.0, 0.3, 0.3), (1.0, 0.5, 0.5))
FIRST_SEED = 101  # none of those that the recipe was chosen with


def short_spec(shares: tuple[float, ...], seed: int) -> TrainingSpec:
    """What `residual_recipe` starts from, narrower, with shifts only: the best that is known for one or two epochs."""
    return TrainingSpec(
        network="residual",
        hyperparameters={"stem_filters": 16, "middle_filters": 32, "filters": 64, "views": "shifts"},
        optimizer=Optimizer(name="muon", learning_rate=0.1, schedule="linear", weight_decay=5e-4),
        augmentation=Augmentation(width_shift_range=0.071, height_shift_range=0.071),
        label_smoothing=0.1,
        batch_size=128,
        shares=shares,
        recalibrate=True,
        epochs=len(shares),
        keep="last",
        precision=fastest_precision(),
        split="train+validation",
        seed=seed,
    )


def in_new_process(spec: TrainingSpec, dataset: DatasetReference, root: Path) -> tuple[float, float]:
    """Trains in a new worker with one thread; returns seconds and test accuracy in percent."""
    start = time.time()
    with closing(LocalPool(1)) as pool:
        result = pool.run(Turn(), fit, spec, dataset, root, key=f"model-{spec.digest}", keep_weights=True)
        seconds = time.time() - start
        final = pool.run(Turn(), evaluate_final, "short", [result], dataset, root, key="final")
    return seconds, 100 * final.members[0].test_accuracy


def peer_in_new_process(*options: Any) -> tuple[float, float]:
    """Trains the original's recipe; returns seconds and test accuracy in percent."""
    start = time.time()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        stopped, accuracy = executor.submit(train_original, *options).result()
    return stopped - start, 100 * accuracy


def measure(name: str, runs: Sequence[Callable[[], tuple[float, float]]], workers: int) -> tuple[Figure, Figure]:
    """Runs them, so many at a time; returns their seconds and their accuracies."""
    with ThreadPoolExecutor(workers) as threads:
        measured = list(threads.map(lambda run: run(), runs))
    seconds, accuracies = zip(*measured, strict=True)
    return Figure(f"{name}: time", "s", seconds), Figure(f"{name}: test accuracy", "%", accuracies)


def measure_ours(options: argparse.Namespace) -> list[tuple[Figure, Figure]]:
    """Trains all schedules up to the one that is good enough."""
    measured: list[tuple[Figure, Figure]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        dataset = preprocess(store, data=None, images=600 if options.quick else None, seed=1, key="benchmark")
        for shares in SCHEDULES[:2] if options.quick else SCHEDULES:
            seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
            runs = [partial(in_new_process, short_spec(shares, seed), dataset, store.root) for seed in seeds]
            measured.append(measure(f"ours, {' + '.join(map(str, shares))} epochs", runs, options.workers))
            if measured[-1][1].mean >= ACCURACY:
                break
    return measured


def measure_peer(options: argparse.Namespace) -> tuple[Figure, Figure]:
    """Trains the original's recipe, one at a time."""
    size = (600, 1) if options.quick else (None,)
    seeds = range(FIRST_SEED, FIRST_SEED + options.peers)
    runs = [partial(peer_in_new_process, seed, *size) for seed in seeds]
    return measure("the original's recipe on all cores", runs, workers=1)


def claim(ours: list[tuple[Figure, Figure]], peer: Figure) -> Ratio:
    """How many times faster the first schedule is whose mean is good enough; 0 where none is."""
    name = f"time of the original's recipe / our time to a mean of {ACCURACY:g} %"
    for seconds, accuracy in ours:
        if accuracy.mean >= ACCURACY:
            return at_least(name, peer.median, seconds.median, TIMES_AS_FAST)
    return Ratio(f"{name} (not reached)", 0.0, f"≥ {TIMES_AS_FAST}", False)


def main() -> None:
    """Measures both sides and prints them."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, metavar="N", help="trainings of ours for each schedule (default: 10)")
    parser.add_argument("--peers", type=int, default=1, metavar="N", help="trainings of the original's (default: 1)")
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="trainings of ours at a time (default: all cores)",
    )
    options = parser.parse_args()
    options.seeds = options.seeds or (2 if options.quick else 10)
    ours, peer = measure_ours(options), measure_peer(options)
    figures = [figure for pair in (*ours, peer) for figure in pair]
    report(f"Time to {ACCURACY:g} % mean test accuracy", figures, [claim(ours, peer[0])], options)


if __name__ == "__main__":
    main()
