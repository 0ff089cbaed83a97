"""A model in another form, in the store: converted, asked on the test images, and compared with what the model says."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_models.data.dataset import DatasetReference, Images, evaluation_batch, read_split, scale
from mnist_models.export.answering import Answer, load
from mnist_models.export.class_names import add_class_names
from mnist_models.export.conversion import NAMES, convert
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.records import FileReference
from mnist_models.foundation.settings import Form
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.members import predict
from mnist_models.judging.reserve import open_rows
from mnist_models.judging.scores import score

if TYPE_CHECKING:
    import keras

CALIBRATION = 200  # training images from which int8 learns the ranges
CALLS = 40  # timed


@dataclass(frozen=True)
class WrittenForm:
    """A form in the store, and what it says of the test images; as `ExportedForm` has them.

    Attributes:
        answers: float32 [images, classes], probabilities.
    """

    form: Form
    path: str
    files: tuple[FileReference, ...]
    accuracy: float
    wilson_95: tuple[float, float]
    milliseconds: float
    answers: np.ndarray

    def compare(self, expected: np.ndarray, key: str) -> ExportedForm:
        """Returns the record, with how far the answers are from the model's own.

        Args:
            expected: float32 [images, classes]: what `ask_model` returns.
            key: Cache key that the record carries.
        """
        return ExportedForm(
            key=key,
            form=self.form,
            path=self.path,
            files=self.files,
            images=len(expected),
            labels_equal=int((self.answers.argmax(axis=1) == expected.argmax(axis=1)).sum()),
            largest_difference=float(np.abs(self.answers - expected).max()),
            accuracy=self.accuracy,
            wilson_95=self.wilson_95,
            milliseconds=self.milliseconds,
        )


def write_form(
    form: Form, model: FileReference, dataset: DatasetReference, reserve: float, root: Address, *, key: str
) -> WrittenForm:
    """Writes a model in another form to the store, and asks it.

    Args:
        form: Which.
        model: The `.keras` file.
        dataset: What it was trained on: training images calibrate int8, test images are what every form is asked.
        reserve: Share of the test images that only the gate sees.
        root: The store's address.
        key: Of the form: its folder.

    Raises:
        DamagedFileError: If the model or the data set is damaged.
    """
    store = Store(root)
    test = _open_images(store, dataset, reserve)
    with tempfile.TemporaryDirectory() as folder:
        written = convert(_load(store, model), form, Path(folder), _calibration(store, dataset))
        add_class_names(form, written, dataset.names)
        files = _keep(store, written, f"exports/{key}")
    path = f"exports/{key}/{NAMES[form]}"
    answer = load(form, store.root / path)
    answers = _in_batches(answer, test.x)
    scores = score(answers.astype(np.float64), test.y)
    return WrittenForm(
        form=form,
        path=path,
        files=files,
        accuracy=scores["test_accuracy"],
        wilson_95=scores["wilson_95"],
        milliseconds=_milliseconds(answer, scale(test.x[:1])),
        answers=answers,
    )


def ask_model(model: FileReference, dataset: DatasetReference, reserve: float, root: Address) -> np.ndarray:
    """Returns what the model itself says of the test images: float32 [n, classes], probabilities.

    Args:
        model: The `.keras` file.
        dataset: With the test images.
        reserve: Share of them that only the gate sees.
        root: The store's address.

    Raises:
        DamagedFileError: If the model or the data set is damaged.
    """
    store = Store(root)
    return predict(_load(store, model), _open_images(store, dataset, reserve).x)


def _load(store: Store, model: FileReference) -> keras.Model:
    import keras

    return keras.models.load_model(store.verify(model), compile=False, safe_mode=True)


def _open_images(store: Store, dataset: DatasetReference, reserve: float) -> Images:
    """The test images that reports may show."""
    test = read_split(store, dataset, "test")
    rows = open_rows(test.x, reserve)
    return Images(x=test.x[rows], y=np.asarray(test.y[rows]))


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
