"""The final model as one file that plain Keras loads."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.members import build_member
from mnist_models.training.result import TrainingResult

if TYPE_CHECKING:
    import keras


LABELS = "labels.txt"  # in the file: the names of the classes, a line each


class ExportedModel(SealedRecord):
    """A `.keras` file: float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities.

    Attributes:
        file: The file; its bytes hold the time at which it was written, and the names of the classes, too.
        weights: SHA-256 of the weights alone: two models that are the same to the bit have the same.
    """

    file: FileReference
    weights: str


def export_ensemble(
    members: list[TrainingResult], dataset: DatasetReference, root: Address, *, key: str
) -> ExportedModel:
    """Writes one `.keras` file that averages the members' probabilities and needs nothing of this package to load.

    Args:
        members: Trainings with weights.
        dataset: The data set they were trained on.
        root: The store's address.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a member's weights are damaged.
    """
    import keras

    store = Store(root)
    inputs = keras.Input(dataset.image_shape, name="image")
    outputs = []
    for member in members:
        model = _with_plain_layers(build_member(store, member, dataset))
        model.name = f"seed_{member.spec.seed}"
        outputs.append(model(inputs))
    average = keras.layers.Average(name="probabilities")(outputs) if len(outputs) > 1 else outputs[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        ensemble = keras.Model(inputs, average, name="ensemble")
        ensemble.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(zipfile.ZipInfo(LABELS), labels_text(dataset.names))
        file = store.write(f"weights/{key}.keras", path.read_bytes())
        return ExportedModel(key=key, file=file, weights=weights_digest(ensemble))


def labels_text(names: Sequence[str]) -> str:
    """Returns the names of the classes, a line each; those that have several lines, on one."""
    return "".join(" ".join(name.split()) + "\n" for name in names)


def weights_digest(model: keras.Model) -> str:
    """Returns the SHA-256 of a model's weights, in their order, with their shapes and types."""
    content = hashlib.sha256()
    for array in model.get_weights():
        content.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return content.hexdigest()


def _with_plain_layers(model: keras.Model) -> keras.Model:
    """The same network with the plain layers that ours derive from, whose weights are the same."""
    import keras

    from mnist_models.networks import layers

    plain = {
        layers.FusedBatchNormalization: keras.layers.BatchNormalization,
        layers.TunableDropout: keras.layers.Dropout,
    }

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return plain.get(type(layer), type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
