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
from PIL import Image, ImageDraw, ImageFilter

from mnist_models.champion.history import promote
from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import read_split
from mnist_models.data.pen import measure_pen
from mnist_models.data.preprocessing import preprocess
from mnist_models.export.exporting import write_form
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.settings import Form
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
FRUIT_SPEC = TrainingSpec(
    network="residual", hyperparameters={"stem_filters": 4, "middle_filters": 8, "filters": 16}, epochs=4,
    optimizer=Optimizer(name="adam", learning_rate=0.01), batch_size=50, recalibrate=True, keep="last",
)  # fmt: skip
FRUIT = {"lime": (120, 190, 40), "plum": (90, 40, 120), "tomato": (215, 50, 35)}
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
    file = store.write(f"{name}.tflite", (store.root / f"{name}.tflite").read_bytes())
    form = ExportedForm(
        key="export", form="litert", path=file.path, files=(file,), images=100, labels_equal=100,
        largest_difference=0.0, accuracy=1.0, wilson_95=(0.96, 1.0), milliseconds=0.2,
    )  # fmt: skip
    changes = {"run": name, "exports": {"litert": form}, "pen": {"box": 20}}
    promote(store, challenger(store, f"{name}-{number}", **changes), "a test")


def train_fruit(root: Path) -> Store:
    """Trains on colour pictures of 40 x 32 pixels, no handwriting; the champion `fruit` of a store without another."""
    store, rng = Store(root), np.random.default_rng(1)
    root.mkdir(parents=True)
    arrays: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        names = [name for name in FRUIT for _ in range(100)]
        arrays[f"x_{part}"] = np.stack([np.asarray(draw_fruit(name, rng).resize((40, 32))) for name in names])
        arrays[f"y_{part}"] = np.array(names)
    np.savez(root / "fruit.npz", **arrays)  # type: ignore[arg-type]
    dataset = preprocess(store, data=root / "fruit.npz", images=None, seed=1, key="dataset-fruit")
    member = fit(FRUIT_SPEC, dataset, root, key="member", keep_weights=True)
    file = export_ensemble([member], dataset, root, key="model").file
    forms: tuple[Form, ...] = ("litert", "litert_int8")
    written = {form: write_form(form, file, dataset, 0.0, root, key=form) for form in forms}
    changes = {
        "run": "fruit", "model": file, "image_shape": dataset.image_shape, "classes": 3,
        "exports": {form: one.compare(written["litert"].answers, form) for form, one in written.items()},
        "class_names": dataset.class_names, "pen": measure_pen(read_split(store, dataset, "train").x),
    }  # fmt: skip
    promote(store, challenger(store, "fruit", **changes), "a test", "fruit")
    return store


def draw_fruit(name: str, rng: np.random.Generator) -> Image.Image:
    """A fruit somewhere on a table, 160 x 128 pixels: its colour, its shine, its shadow."""
    picture = Image.new("RGB", (160, 128), tuple(int(level) for level in rng.integers(200, 256, 3)))
    pen, (x, y), radius = ImageDraw.Draw(picture), rng.integers((50, 45), (110, 83)), int(rng.integers(22, 42))
    colour = tuple(int(level) for level in (np.array(FRUIT[name]) + rng.integers(-25, 26, 3)).clip(0, 255))
    pen.ellipse((x - radius, y + radius - 6, x + radius + 8, y + radius + 6), (150, 145, 140))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    pen.ellipse((x - radius // 2, y - radius // 2, x - radius // 5, y - radius // 5), (250, 245, 240))
    return picture.filter(ImageFilter.GaussianBlur(1))


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
