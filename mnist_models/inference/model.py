"""Which model answers: the store's champion in its fastest form, or a file that is named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_models.champion.history import DEFAULT, champion_names, read_champion
from mnist_models.champion.record import Champion
from mnist_models.data.dataset import scale
from mnist_models.data.pen import Pen
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.records import FileReference
from mnist_models.foundation.store import Store
from mnist_models.inference.engines import Engine, load_engine
from mnist_models.inference.preparation import prepare
from mnist_models.inference.request import Preparation

MNIST = Pen(box=20)
MNIST_SHAPE = (28, 28, 1)
FASTEST_FIRST = ("litert", "onnx")  # of those that answer as the model does; measured: docs/serving.md
LOADED = ("litert", "litert_int8", "onnx")  # of the exported forms


class NoModelError(ValueError):
    """There is no model to ask; the message says what to do."""


@dataclass(frozen=True)
class ModelFile:
    """A model that is yet to be loaded.

    Attributes:
        path: Of the file.
        sha256: Of its content.
        name: Who answers, for people: the run that made it, or the file.
        class_names: One per class; empty where the model does not say.
        pen: The form of the handwriting that it was trained on, if it was.
        guessed: `pen` is meant for images of MNIST's shape only: nothing is known but the file.
    """

    path: Path
    sha256: str
    name: str
    class_names: tuple[str, ...]
    pen: Pen | None
    guessed: bool = False


class Model:
    """A loaded model: pictures in, probabilities out.

    Args:
        file: Which.
        threads: Of one prediction.

    Raises:
        NoModelError: If the file's content is another than was said.
        EngineError: If it cannot be loaded.
    """

    def __init__(self, file: ModelFile, threads: int = 1) -> None:
        data = file.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise DamagedFileError(file.path, f"expected SHA-256 {file.sha256[:12]}…")
        self.file = file
        self.engine: Engine = load_engine(data, file.path.suffix, str(file.path), threads)
        self.pen = None if file.guessed and self.engine.image_shape != MNIST_SHAPE else file.pen
        known = file.class_names or self.engine.class_names
        self.class_names = known or tuple(str(label) for label in range(self.engine.classes))
        if len(self.class_names) != self.engine.classes:
            raise NoModelError(
                f"{file.path}: expected a model of {len(self.class_names)} classes. Received: {self.engine.classes}."
            )

    def prepare(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """Brings a picture to what the network is fed, uint8 [height, width, channels].

        Raises:
            PictureError: If nothing is drawn where something should be.
        """
        return prepare(pixels, name, self.engine.image_shape, self.pen)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Uint8 [n, height, width, channels], prepared → float32 [n, classes], probabilities."""
        return self.engine.predict(scale(images))


def find_model(
    store: Store,
    named: Path | None = None,
    form: str | None = None,
    preparation: Preparation = "auto",
    champion: str = DEFAULT,
) -> ModelFile:
    """Returns the file that is named, or a champion of the store in its fastest form.

    Args:
        store: Whose champion.
        named: A file `.tflite`, `.onnx` or `.keras` instead.
        form: A form of the champion instead of the fastest.
        preparation: Of pictures: as the model was trained, or one of both kinds in any case.
        champion: Which, where the store has several.

    Raises:
        NoModelError: If there is no such file, champion or form.
        DamagedFileError: If the champion's record was altered, or its file is missing.
    """
    if named is not None:
        return _named(named, preparation)
    found = read_champion(store, champion) if champion in (names := champion_names(store)) else None
    if found is None:
        option = "" if champion == DEFAULT else f" --champion {champion}"
        raise NoModelError(
            f"Expected a champion{option and f' {champion!r}'} in {store.root}. "
            f"Received: {', '.join(names) or 'a store without one'}. A run makes one "
            f"(python flows/full_pipeline.py --profile quick{option}: a minute); or name a file: --model FILE."
        )
    return _of_champion(store, found, form, preparation)


def _named(path: Path, preparation: Preparation) -> ModelFile:
    """Of a file that a person names, nothing is known but what it says; 28 x 28 grey pixels are taken for MNIST's."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise NoModelError(f"{path}: expected a model's file. Received: {error.strerror or error}.") from error
    pen = None if preparation == "plain" else MNIST
    return ModelFile(
        path=path,
        sha256=sha256,
        name=f"{path.name} {sha256[:8]}",
        class_names=(),
        pen=pen,
        guessed=preparation == "auto",
    )


def _of_champion(store: Store, champion: Champion, form: str | None, preparation: Preparation) -> ModelFile:
    exports = champion.exports.items()
    files: dict[str, FileReference] = {name: each.files[0] for name, each in exports if name in LOADED}
    files["keras"] = champion.model
    chosen = form or next((name for name in FASTEST_FIRST if name in files), "keras")
    if chosen not in files:
        raise NoModelError(f"Expected a form of the champion out of {', '.join(files)}. Received: {form!r}.")
    store.fetch(files[chosen].path)
    pen = {"plain": None, "pen": MNIST, "auto": champion.pen}[preparation]
    return ModelFile(
        path=store.root / files[chosen].path,
        sha256=files[chosen].sha256,
        name=f"{champion.run} {champion.weights[:8]}",
        class_names=champion.class_names,
        pen=pen,
    )
