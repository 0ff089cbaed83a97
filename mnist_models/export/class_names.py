"""The names of the classes inside a model's file, a line each in the order of the outputs, where its form has a place.

Keras' archive and LiteRT's hold `labels.txt` (a `.tflite` is a flatbuffer with an archive behind it: TensorFlow Lite
Metadata's associated files), a SavedModel has it among its `assets.extra`, ONNX in its metadata as `labels`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from mnist_models.foundation.settings import Form
from mnist_models.judging.export import LABELS, labels_text


def add_class_names(form: Form, written: Path, names: Sequence[str]) -> None:
    """Puts the names of the classes into a model in a form.

    Args:
        form: Which.
        written: The file, or the folder of a SavedModel; it is changed.
        names: Of the classes, in the order of the outputs.
    """
    if form == "savedmodel":
        extra = written / "assets.extra"
        extra.mkdir(exist_ok=True)
        (extra / LABELS).write_text(labels_text(names))
    elif form == "onnx":
        _add_to_onnx(written, names)
    else:
        with zipfile.ZipFile(written, "a") as archive:
            archive.writestr(zipfile.ZipInfo(LABELS), labels_text(names))


def _add_to_onnx(written: Path, names: Sequence[str]) -> None:
    import onnx

    model = onnx.load(written)
    onnx.helper.set_model_props(model, {"labels": labels_text(names)})
    onnx.save(model, written)
