"""One study of random trials, as a process that prints its figures as JSON: through the pipeline, or as its peer.

    python -m benchmarks.one_study fully_connected_hyperband --trials 12 --epochs 5 --workers 2
    python -m benchmarks.one_study fully_connected_hyperband --trials 12 --epochs 5 --peer

The peer is KerasTuner's own `Tuner.search` with a plain Keras model on all cores. Both sides ask the same oracle with
the same seed, so they train the same hyperparameters; each trains batches of its own size unless told one. The time
runs from the first proposal to the last result, with TensorFlow imported and workers started before: what a search of
hours costs.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.workers import WorkerPool

SPACES = ("fully_connected_hyperband", "cnn_bayesian")
ORIGINAL_BATCH_SIZES = dict(zip(SPACES, (64, 256), strict=True))
IMAGE_SIZE = (28, 28, 1)


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", choices=SPACES, help="the search space")
    parser.add_argument("--trials", type=int, default=6, help="random trials (default: 6)")
    parser.add_argument("--epochs", type=int, default=1, help="of each trial (default: 1)")
    parser.add_argument("--images", type=int, help="train and validate on so many; 60,000 if not given")
    parser.add_argument("--seed", type=int, default=1, help="of proposals and trainings (default: 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the pipeline (default: all cores)")
    parser.add_argument("--batch-size", type=int, help="images per step; the pipeline's or the original's if not given")
    parser.add_argument(
        "--share", type=float, help="of the images that an epoch of the pipeline's trials sees; all if not given"
    )
    parser.add_argument("--peer", action="store_true", help="run KerasTuner's search instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        figures = search_as_peer(options, folder) if options.peer else search(options, Path(folder))
    sys.stdout.write(json.dumps(figures) + "\n")


def search(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The pipeline's study, in a flow with a temporary server; returns seconds and the workers' peak memory."""
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    os.environ.pop("PREFECT_API_URL", None)
    from flows.terminal import prepare, run

    prepare()
    from prefect import flow

    from flows.cnn import BATCH_SIZE
    from flows.preprocessing import preprocessing
    from mnist_models.config import Settings
    from mnist_models.study import OracleSpec, Study
    from mnist_models.training import TrainingSpec
    from tasks.tuning import run_study
    from tasks.workers import worker_pool

    figures: dict[str, float] = {}
    oracle = OracleSpec(
        kind="bayesian", seed=options.seed, window=4, max_trials=options.trials, initial_points=options.trials
    )

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
            shares=options.share and (options.share,) * options.epochs,
            precision=settings.precision,
            seed=options.seed,
        )
        pool = worker_pool(settings.workers)
        for executor in pool._all:
            executor.submit(os.getpid).result()  # started, with TensorFlow imported
        start = time.perf_counter()
        with _watched(pool) as peaks:
            run_study(Study(name="study", space=options.space, oracle=oracle, template=template), dataset, settings)
        figures["seconds"] = time.perf_counter() - start
        figures["peak_bytes"] = max(peaks.values())

    run(lambda _: study(), settings)
    return figures


def search_as_peer(options: argparse.Namespace, folder: str) -> dict[str, float]:
    """KerasTuner's own search, as its documentation shows it; returns seconds and the process's peak memory."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras_tuner
    import numpy as np

    from mnist_models import search_spaces
    from mnist_models.dataset import EMBEDDED, VALIDATION_SHARE

    with np.load(EMBEDDED) as arrays:
        x = arrays["x_train"][: options.images, ..., np.newaxis] / np.float32(255)
        y = arrays["y_train"][: options.images]
    held_out = len(x) // VALIDATION_SHARE
    tuner = keras_tuner.BayesianOptimization(
        build_cnn if options.space == "cnn_bayesian" else build_fully_connected,
        objective="val_loss",
        max_trials=options.trials,
        num_initial_points=options.trials,
        hyperparameters=getattr(search_spaces, options.space)(),
        tune_new_entries=False,
        seed=options.seed,
        directory=folder,
    )
    start = time.perf_counter()
    tuner.search(
        x[held_out:],
        y[held_out:],
        epochs=options.epochs,
        batch_size=options.batch_size or ORIGINAL_BATCH_SIZES[options.space],
        validation_data=(x[:held_out], y[:held_out]),
        verbose=0,
    )
    return {"seconds": time.perf_counter() - start, "peak_bytes": _peak(os.getpid())}


def build_fully_connected(hp: Any) -> Any:
    """Dense layers with L2 and dropout; Adam."""
    from keras import Sequential, layers, regularizers

    model = Sequential([layers.Input(IMAGE_SIZE), layers.Flatten()])
    for _ in range(hp.get("depth")):
        decay = regularizers.L2(hp.get("l2_strength"))
        model.add(layers.Dense(hp.get("hidden_layer_size"), hp.get("activation"), kernel_regularizer=decay))
        model.add(layers.Dropout(hp.get("dropout_rate")))
    model.add(layers.Dense(10, activation="softmax"))
    return _compiled(model, hp)


def build_cnn(hp: Any) -> Any:
    """Blocks of convolution and subsampling, dense, dropout; batch normalisation after every convolution and dense."""
    from keras import Sequential, layers

    model = Sequential([layers.Input(IMAGE_SIZE)])

    def add_normalized(layer: Any) -> None:
        model.add(layer)
        model.add(layers.BatchNormalization())
        model.add(layers.Activation(hp.get("activation")))

    for block in range(hp.get("num_conv_layers")):
        filters = hp.get("num_filters_sub_layers" if block else "num_filters_first_layer")
        add_normalized(layers.Conv2D(filters, hp.get("kernel_size"), padding="same"))
        if hp.get("subsample_type") == "max_pool":
            model.add(layers.MaxPooling2D(2, padding="same"))
        else:
            add_normalized(layers.Conv2D(filters, 5, strides=2, padding="same"))
    model.add(layers.Flatten())
    add_normalized(layers.Dense(hp.get("dense_layer_size")))
    model.add(layers.Dropout(hp.get("dropout_rate")))
    model.add(layers.Dense(10, activation="softmax"))
    return _compiled(model, hp)


def _compiled(model: Any, hp: Any) -> Any:
    import keras

    optimizer = keras.optimizers.Adam(hp.get("learning_rate"))
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@contextmanager
def _watched(pool: WorkerPool) -> Iterator[dict[int, int]]:
    """Notes the peak memory of each worker, also of those that the pool replaces."""
    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for process in pool.processes():
                with suppress(OSError):  # it has just ended
                    peaks[process] = _peak(process)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def _peak(process: int) -> int:
    """Peak resident memory of a process in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"process {process} says nothing of its memory")


if __name__ == "__main__":
    main()
