"""Loading each form and asking it, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_models.foundation.settings import Form

Answer = Callable[[np.ndarray], np.ndarray]
"""float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities."""


def load(form: Form, path: Path) -> Answer:
    """Loads a model in a form.

    Args:
        form: Which.
        path: Of the file, or of the SavedModel's folder.
    """
    return {"savedmodel": _saved_model, "onnx": _onnx}.get(form, _litert)(path)


def _saved_model(path: Path) -> Answer:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda x: np.asarray(model.serve(x))


def _litert(path: Path) -> Answer:
    interpreter = _interpreter(path)
    place = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    count = 0

    def answer(x: np.ndarray) -> np.ndarray:
        nonlocal count
        if len(x) != count:
            interpreter.resize_tensor_input(place, x.shape)
            interpreter.allocate_tensors()
            count = len(x)
        interpreter.set_tensor(place, x)
        interpreter.invoke()
        probabilities: np.ndarray = interpreter.get_tensor(result)
        return probabilities

    return answer


def _interpreter(path: Path) -> Any:
    """The one of the small package where that is installed, else TensorFlow's own, which is the same."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        from tensorflow.lite.python.interpreter import Interpreter
    return Interpreter(model_path=str(path), num_threads=1)


def _onnx(path: Path) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def answer(x: np.ndarray) -> np.ndarray:
        probabilities: np.ndarray = session.run(None, {name: x})[0]
        return probabilities

    return answer
