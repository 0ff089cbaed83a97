"""A model in another form, in the store: converted, and checked against the model on the test images."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference, evaluation_batch, read_split, scale
from mnist_models.export.answering import Answer, load
from mnist_models.export.conversion import NAMES, convert
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.records import FileReference
from mnist_models.foundation.settings import Form
from mnist_models.foundation.store import Store
from mnist_models.judging.members import predict
from mnist_models.judging.reserve import open_rows
from mnist_models.judging.scores import score

CALIBRATION = 200  # training images from which int8 learns the ranges
CALLS = 40  # timed


def export_form(
    form: Form, model: FileReference, dataset: DatasetReference, reserve: float, root: Path, *, key: str
) -> ExportedForm:
    """Writes a model in another form to the store, and checks it.

    Args:
        form: Which.
        model: The `.keras` file.
        dataset: What it was trained on: training images calibrate int8, test images check every form.
        reserve: Share of the test images that only the gate sees.
        root: The store's root.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If the model or the data set is damaged.
    """
    import keras

    store = Store(root)
    network = keras.models.load_model(store.verify(model), compile=False, safe_mode=True)
    test = read_split(store, dataset, "test")
    rows = open_rows(test.x, reserve)
    pixels, labels = test.x[rows], np.asarray(test.y[rows])
    with tempfile.TemporaryDirectory() as folder:
        written = convert(network, form, Path(folder), _calibration(store, dataset))
        files = _keep(store, written, f"exports/{key}")
    path = f"exports/{key}/{NAMES[form]}"
    answer = load(form, store.root / path)
    probabilities = _in_batches(answer, pixels)
    expected = predict(network, pixels)
    scores = score(probabilities.astype(np.float64), labels)
    return ExportedForm(
        key=key,
        form=form,
        path=path,
        files=files,
        images=len(labels),
        labels_equal=int((probabilities.argmax(axis=1) == expected.argmax(axis=1)).sum()),
        largest_difference=float(np.abs(probabilities - expected).max()),
        accuracy=scores["test_accuracy"],
        wilson_95=scores["wilson_95"],
        milliseconds=_milliseconds(answer, scale(pixels[:1])),
    )


def _calibration(store: Store, dataset: DatasetReference) -> np.ndarray:
    """float32 [n, height, width, channels]: training images from everywhere in the data set."""
    images = read_split(store, dataset, "train").x
    rows = np.linspace(0, len(images) - 1, min(CALIBRATION, len(images))).astype(int)
    return scale(images[rows])


def _keep(store: Store, written: Path, folder: str) -> tuple[FileReference, ...]:
    """Writes a form's file, or all files of its folder, to the store."""
    paths = sorted(path for path in written.rglob("*") if path.is_file()) if written.is_dir() else [written]
    return tuple(store.write(f"{folder}/{path.relative_to(written.parent)}", path.read_bytes()) for path in paths)


def _in_batches(answer: Answer, pixels: np.ndarray) -> np.ndarray:
    size = evaluation_batch(pixels.shape[1:])
    return np.concatenate([answer(scale(pixels[start : start + size])) for start in range(0, len(pixels), size)])


def _milliseconds(answer: Answer, image: np.ndarray) -> float:
    """The median time for one image."""
    answer(image)
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter()
        answer(image)
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)
