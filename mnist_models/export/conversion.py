"""A Keras model as a SavedModel, as LiteRT in float32 and int8, and as ONNX."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_models.foundation.settings import Form

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

NAMES: dict[Form, str] = {
    "savedmodel": "savedmodel",
    "litert": "model.tflite",
    "litert_int8": "model_int8.tflite",
    "onnx": "model.onnx",
}
"""The file, or the folder, of each form."""

NEEDED: dict[Form, tuple[str, ...]] = {"onnx": ("tf2onnx", "onnxruntime")}
"""Packages that a form needs besides TensorFlow; the extra `export` brings them."""


def missing_packages(form: Form) -> list[str]:
    """Returns the packages that a form needs and that are not installed."""
    return [name for name in NEEDED.get(form, ()) if importlib.util.find_spec(name) is None]


def convert(model: keras.Model, form: Form, folder: Path, calibration: np.ndarray) -> Path:
    """Writes a model in a form.

    Args:
        model: float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], as every form takes and gives it.
        form: Which.
        folder: Where to.
        calibration: float32 [n, height, width, channels]: training images from which int8 learns the ranges.

    Returns:
        The path of the file, or of the SavedModel's folder.
    """
    path = folder / NAMES[form]
    if form == "savedmodel":
        model.export(path, verbose=False)
    elif form == "onnx":
        model(calibration[:1])  # Keras writes ONNX of a model that was called
        model.export(path, format="onnx", verbose=False)
    else:
        saved = folder / "converted"
        model.export(saved, verbose=False)
        path.write_bytes(_litert(saved, calibration if form == "litert_int8" else None))
    return path


def _litert(saved: Path, calibration: np.ndarray | None) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if calibration is not None:
        _quantize(converter, calibration)
    return _without_names(converter.convert())


def _quantize(converter: tf.lite.TFLiteConverter, calibration: np.ndarray) -> None:
    """Weights and activations as int8 throughout; what goes in and comes out stays float32."""
    import tensorflow as tf

    def examples() -> Iterator[list[np.ndarray]]:
        for image in calibration:
            yield [image[np.newaxis]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def _without_names(model: bytes) -> bytes:
    """The same model without the names of its inner tensors, which take 3 % of a small one in int8."""
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    for graph in content.subgraphs:
        outer = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in outer:
                tensor.name = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))
