"""One study of random trials through the pipeline, as a process that prints its figures as JSON.

    python -m benchmarks.speed.one_study fully_connected_hyperband --trials 12 --epochs 5 --workers 2

The time runs from the first proposal to the last result, with workers started and TensorFlow imported before: what a
search of hours costs. The other side is `benchmarks.peers.tuner_search`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.studies import peak_memory, trial_arguments

if TYPE_CHECKING:
    from tasks.workers.local import LocalPool

SPACES = ("fully_connected_hyperband", "cnn_bayesian")


def main() -> None:
    """Runs it."""
    parser = trial_arguments(__doc__, SPACES)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="(default: all cores)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        sys.stdout.write(json.dumps(search(options, Path(folder))) + "\n")


def search(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The pipeline's study, in a flow with a temporary server; returns seconds and the workers' peak memory."""
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    os.environ.pop("PREFECT_API_URL", None)
    from running.terminal import prepare, run

    prepare()
    from prefect import flow

    from flows.cnn import BATCH_SIZE
    from flows.preprocessing import preprocessing
    from mnist_models.foundation.settings import Settings
    from mnist_models.search.study import OracleSpec, Rung, Study
    from mnist_models.training.specification import TrainingSpec
    from tasks.tuning import run_study
    from tasks.workers.started import start_workers, workplace_of

    figures: dict[str, float] = {}
    bracket = (
        Rung(trials=options.trials, images=options.epochs * (options.images * 5 // 6 if options.images else 50_000)),
    )
    oracle = OracleSpec(kind="halving", seed=options.seed, window=4, brackets=(bracket,), proposals="random")

    fully_connected = options.space == "fully_connected_hyperband"
    settings = Settings(store=folder / "store", images=options.images, workers=options.workers)

    @flow(name="one_study")
    def study() -> None:
        dataset = preprocessing(settings)
        template = TrainingSpec(
            network="fully_connected" if fully_connected else "cnn",
            hyperparameters={},
            batch_size=options.batch_size or (settings.fully_connected_batch_size if fully_connected else BATCH_SIZE),
            epochs=options.epochs,
            precision=settings.precision,
            seed=options.seed,
        )
        pool = start_workers(workplace_of(settings))
        for executor in pool._all:
            executor.submit(os.getpid).result()  # started, with TensorFlow imported
        start = time.perf_counter()
        with _watched(pool) as peaks:
            run_study(Study(name="study", space=options.space, oracle=oracle, template=template), dataset, settings)
        figures["seconds"] = time.perf_counter() - start
        figures["peak_bytes"] = max(peaks.values())

    run(lambda _: study(), settings)
    return figures


@contextmanager
def _watched(pool: LocalPool) -> Iterator[dict[int, int]]:
    """Notes the peak memory of each worker, also of those that the pool replaces."""
    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for process in pool.processes():
                with suppress(OSError):  # it has just ended
                    peaks[process] = peak_memory(process)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


if __name__ == "__main__":
    main()
