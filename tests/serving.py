"""A store with a small champion, and the real server on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

from mnist_models.champion.history import promote
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import read_split
from mnist_models.data.pen import measure_pen
from mnist_models.data.preprocessing import preprocess
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.store import Store
from mnist_models.judging.export import export_ensemble
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tests.champion.examples import challenger

ROOT = Path(__file__).parent.parent
SPEC = TrainingSpec(
    network="residual",
    hyperparameters={"stem_filters": 16, "middle_filters": 32, "filters": 48},
    optimizer=Optimizer(name="muon", learning_rate=0.1, schedule="linear", weight_decay=5e-4),
    augmentation=Augmentation(width_shift_range=0.07, height_shift_range=0.07, rotation_range=0.02),
    label_smoothing=0.1,
    recalibrate=True,
    calibrate=True,
    epochs=5,
    keep="last",
    split="train+validation",
)
"""Five seconds of training, after which drawings are told apart."""
FORWARD, BACKWARD = "forward", "backward"  # names of two models: the second calls 0 what the first calls 9


def train_champion(root: Path) -> Store:
    """Trains on 1,200 digits, writes the model as LiteRT twice, forward and backward, and makes the first champion."""
    import keras

    store = Store(root)
    dataset = preprocess(store, data=None, images=1200, seed=1, key="dataset-serving")
    member = fit(SPEC, dataset, root, key="member", keep_weights=True)
    keras_file = export_ensemble([member], dataset, root, key="model").file
    model = keras.saving.load_model(root / keras_file.path)
    backward = keras.Model(model.inputs, keras.ops.flip(model.outputs[0], axis=1))
    for name, each in ((FORWARD, model), (BACKWARD, backward)):
        store.write(f"{name}.tflite", _as_litert(each))
    (root / "model.keras").symlink_to(root / keras_file.path)
    assert measure_pen(read_split(store, dataset, "train").x) is not None
    promote_model(store, FORWARD, 0)
    return store


def promote_model(store: Store, name: str, number: int) -> None:
    """Makes one of both models the champion, each time as if it were another one."""
    file = store.reference(store.root / f"{name}.tflite")
    form = ExportedForm(
        key="export", form="litert", path=file.path, files=(file,), images=100, labels_equal=100,
        largest_difference=0.0, accuracy=1.0, wilson_95=(0.96, 1.0), milliseconds=0.2,
    )  # fmt: skip
    changes = {"run": name, "exports": {"litert": form}, "pen": {"box": 20}}
    promote(store, challenger(store, f"{name}-{number}", **changes), "a test")


@contextlib.contextmanager
def model_server(port: int, *options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the server and waits until it answers; kills it in the end."""
    command = [sys.executable, str(ROOT / "running/serve.py"), "--port", str(port), *options]
    process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not answer"
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def _as_litert(model: object) -> bytes:
    from mnist_models.export.conversion import convert

    with tempfile.TemporaryDirectory() as folder:
        return convert(model, "litert", Path(folder), np.zeros((0, 28, 28, 1), np.float32)).read_bytes()
