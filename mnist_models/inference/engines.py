"""Engines: what runs a model in each of its forms, behind one small interface; each imports its library when made."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mnist_models.foundation.processor import choose_kernels

LABELS = "labels.txt"  # in an archive: the names of the classes, a line each
MOST_LABEL_BYTES = 2**20
LARGEST_BATCH = 16  # images: LiteRT gains nothing from more, and each of its sizes takes memory


class EngineError(ValueError):
    """A model that no engine can run; the message names it, what was expected and what came."""


class Engine(Protocol):
    """Runs one model; one thread at a time may use it.

    Attributes:
        name: Of what runs it.
        image_shape: Height, width and channels of the images that it takes.
        classes: How many it tells apart.
        class_names: What they are called, as its file says; empty where it does not.
    """

    name: str
    image_shape: tuple[int, int, int]
    classes: int
    class_names: tuple[str, ...]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities."""


def load_engine(data: bytes, suffix: str, name: str, threads: int = 1) -> Engine:
    """Loads a model.

    Args:
        data: The file's content.
        suffix: Of its name: which engine.
        name: For the message.
        threads: Of one prediction.

    Raises:
        EngineError: If it is not a model of this form, or not one of images → probabilities.
    """
    makers: dict[str, Callable[[bytes, int], Engine]] = {".tflite": LiteRT, ".onnx": OnnxRuntime, ".keras": Keras}
    if suffix not in makers:
        expected = ", ".join(makers)
        raise EngineError(f"{name}: expected a model in a file {expected}. Received: {suffix or 'no suffix'}.")
    try:
        return makers[suffix](data, threads)
    except ImportError as error:
        raise EngineError(f"{name}: expected {error.name}, which runs it. Received: no such package.") from error
    except Exception as error:  # each library has its own kinds
        reason = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"{name}: expected a model of images. Received: one that does not load ({reason})."
        ) from error


class LiteRT:
    """Google's LiteRT, formerly TensorFlow Lite: the smallest and the fastest for one picture."""

    name = "LiteRT"

    def __init__(self, data: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._make: Callable[[], Any] = functools.partial(Interpreter, model_content=data, num_threads=threads)
        self._of_size: dict[int, Any] = {}
        with _quiet():
            interpreter = self._sized(1)
        self.image_shape = _image_shape(interpreter.get_input_details()[0]["shape"])
        self.classes = int(interpreter.get_output_details()[0]["shape"][-1])
        self.class_names = _archived_names(data)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """In batches of powers of two, for each of which an interpreter is ready."""
        answers, start = [], 0
        while start < len(images):
            size = min(LARGEST_BATCH, 1 << (len(images) - start).bit_length() - 1)
            answers.append(self._run(images[start : start + size]))
            start += size
        return np.concatenate(answers) if answers else np.zeros((0, self.classes), np.float32)

    def _run(self, images: np.ndarray) -> np.ndarray:
        interpreter = self._sized(len(images))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
        interpreter.invoke()
        answer: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return answer

    def _sized(self, size: int) -> Any:
        if size not in self._of_size:
            interpreter = self._make()
            [details] = interpreter.get_input_details()
            interpreter.resize_tensor_input(details["index"], [size, *details["shape"][1:]])
            interpreter.allocate_tensors()
            self._of_size[size] = interpreter
        return self._of_size[size]


class OnnxRuntime:
    """Microsoft's ONNX Runtime."""

    name = "ONNX Runtime"

    def __init__(self, data: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        [entry], [answer] = self._session.get_inputs(), self._session.get_outputs()
        self._entry = entry.name
        self.image_shape = _image_shape(entry.shape)
        self.classes = int(answer.shape[-1])
        self.class_names = tuple(self._session.get_modelmeta().custom_metadata_map.get("labels", "").splitlines())

    def predict(self, images: np.ndarray) -> np.ndarray:
        """All at once."""
        answer: np.ndarray = self._session.run(None, {self._entry: images})[0]
        return answer


class Keras:
    """The `.keras` file as TensorFlow runs it: the form that every champion has."""

    name = "TensorFlow"

    def __init__(self, data: bytes, threads: int) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        choose_kernels()
        import keras
        import tensorflow as tf

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(data)
            model = keras.saving.load_model(path, compile=False)
        self.image_shape = _image_shape(model.input_shape)
        self.classes = int(model.output_shape[-1])
        self.class_names = _archived_names(data)
        entry = tf.TensorSpec((None, *self.image_shape), tf.float32)
        self._graph = tf.function(lambda images: model(images, training=False), input_signature=[entry])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """All at once."""
        answer: np.ndarray = self._graph(images).numpy()
        return answer


def _archived_names(data: bytes) -> tuple[str, ...]:
    """The lines of `labels.txt` in a model that is an archive, too."""
    file = io.BytesIO(data)
    if not zipfile.is_zipfile(file):
        return ()
    with zipfile.ZipFile(file) as archive:
        if LABELS not in archive.namelist():
            return ()
        with archive.open(LABELS) as labels:
            return tuple(labels.read(MOST_LABEL_BYTES).decode().splitlines())


_spoken = threading.Event()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallows the line that LiteRT writes to the standard error of a process with its first model."""
    if _spoken.is_set():
        yield
        return
    _spoken.set()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _image_shape(shape: Any) -> tuple[int, int, int]:
    """Of a model's input [n, height, width, channels]."""
    if len(shape) != 4 or not all(isinstance(side, int | np.integer) and side > 0 for side in shape[1:]):
        raise ValueError(f"its input has the shape {tuple(shape)}, not (n, height, width, channels)")
    height, width, channels = (int(side) for side in shape[1:])
    if channels not in (1, 3):
        raise ValueError(f"its images have {channels} channels, not 1 or 3")
    return height, width, channels
