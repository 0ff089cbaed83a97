"""The judgement: test-set figures of the final members and of their ensemble (seed, step 7)."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_models import networks
from mnist_models.dataset import DatasetReference, read_split, scale
from mnist_models.records import FileReference, Record, SealedRecord
from mnist_models.store import Store
from mnist_models.training import TrainingResult, load_weights

if TYPE_CHECKING:
    import keras

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
LOWEST_PROBABILITY = 1e-7  # keeps the logarithm of a probability finite, as Keras does
BATCH = 250  # with more, this would be what needs the most memory


class Score(Record):
    """Accuracy and mean cross-entropy (nats) on the test set, with the accuracy's 95 % Wilson interval."""

    test_accuracy: float
    test_loss: float
    wilson_95: tuple[float, float]


class MemberScore(Score):
    """The score of one member of the ensemble."""

    seed: int


class ClassScore(Record):
    """Figures of one class: precision and recall are shares of what was predicted and of what is there."""

    label: int
    count: int
    precision: float
    recall: float
    f1: float


class Mistake(Record):
    """A test image that the ensemble gets wrong; `index` counts the stored test images from 0."""

    index: int
    label: int
    predicted: int
    probability: float


class FinalResult(SealedRecord):
    """What the test set says of the chosen model.

    Attributes:
        stage: The stage that validation chose.
        members: Each seed's score.
        ensemble: The score of the members' averaged probabilities.
        test_images: Number of test images.
        confusion_matrix: Counts; row = true class, column = predicted class.
        per_class: One entry per class.
        mistakes: All misclassified images, the surest first.
    """

    stage: str
    members: tuple[MemberScore, ...]
    ensemble: Score
    test_images: int
    confusion_matrix: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScore, ...]
    mistakes: tuple[Mistake, ...]


def evaluate_final(
    stage: str, members: list[TrainingResult], dataset: DatasetReference, root: Path, *, key: str
) -> FinalResult:
    """Reads the test set, once, for the members of the final model.

    Args:
        stage: The stage that validation chose.
        members: Trainings with weights of one network, one per seed.
        dataset: The data set they were trained on.
        root: The store's root.
        key: Cache key that the record carries.

    Raises:
        DamagedFileError: If a member's weights or the data set are damaged.
    """
    store = Store(root)
    test = read_split(store, dataset, "test")
    x, labels = scale(test.x), np.asarray(test.y)
    model = build_member(store, members[0], dataset)
    probabilities = []
    for member in members:  # of one network, traced once: only the weights differ
        _load(model, load_weights(store, member))
        probabilities.append(model.predict(x, batch_size=BATCH, verbose=0).astype(np.float64))
    average = np.mean(probabilities, axis=0)
    matrix = confusion_matrix(labels, average.argmax(axis=1), dataset.classes)
    return FinalResult(
        key=key,
        stage=stage,
        members=tuple(
            MemberScore(seed=member.spec.seed, **_score(p, labels))
            for member, p in zip(members, probabilities, strict=True)
        ),
        ensemble=Score(**_score(average, labels)),
        test_images=len(labels),
        confusion_matrix=tuple(tuple(int(count) for count in row) for row in matrix),
        per_class=class_scores(matrix),
        mistakes=_mistakes(average, labels),
    )


class ExportedModel(SealedRecord):
    """A `.keras` file: float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities."""

    file: FileReference


def export_ensemble(members: list[TrainingResult], dataset: DatasetReference, root: Path, *, key: str) -> ExportedModel:
    """Writes one `.keras` file that averages the members' probabilities and needs nothing of this package to load.

    Args:
        members: Trainings with weights.
        dataset: The data set they were trained on.
        root: The store's root.
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
        keras.Model(inputs, average, name="ensemble").save(path)
        return ExportedModel(key=key, file=store.write(f"weights/{key}.keras", path.read_bytes()))


def build_member(store: Store, member: TrainingResult, dataset: DatasetReference) -> keras.Model:
    """Builds a trained network with the weights that its training kept.

    Raises:
        DamagedFileError: If the weights are missing or damaged.
    """
    spec = member.spec
    weights = load_weights(store, member)
    model = networks.build(spec.network, dataset.image_shape, dataset.classes, dict(spec.hyperparameters))
    _load(model, weights)
    return model


def _load(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    model.set_weights([weights[name] for name in sorted(weights)])


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Returns the 95 % confidence interval of a share (Wilson 1927).

    Args:
        correct: Successes.
        total: Tries, at least 1.
    """
    share, z2 = correct / total, Z_95**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(center - half, 0.0), min(center + half, 1.0)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts int64 [classes, classes]; row = true class, column = predicted class."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_scores(matrix: np.ndarray) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of each class; 0 where a class was never there or never predicted."""
    scores = []
    for label, row in enumerate(matrix):
        hits, there, predicted = int(row[label]), int(row.sum()), int(matrix[:, label].sum())
        scores.append(
            ClassScore(
                label=label,
                count=there,
                precision=hits / predicted if predicted else 0.0,
                recall=hits / there if there else 0.0,
                f1=2 * hits / (there + predicted) if there + predicted else 0.0,
            )
        )
    return tuple(scores)


def _score(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    of_truth = np.clip(probabilities[np.arange(len(labels)), labels], LOWEST_PROBABILITY, 1)
    correct = int((probabilities.argmax(axis=1) == labels).sum())
    return {
        "test_accuracy": correct / len(labels),
        "test_loss": float(-np.log(of_truth).mean()),
        "wilson_95": wilson_interval(correct, len(labels)),
    }


def _mistakes(probabilities: np.ndarray, labels: np.ndarray) -> tuple[Mistake, ...]:
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surest_first = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    return tuple(
        Mistake(
            index=int(index),
            label=int(labels[index]),
            predicted=int(predicted[index]),
            probability=float(probabilities[index, predicted[index]]),
        )
        for index in surest_first
    )


def _with_plain_layers(model: keras.Model) -> keras.Model:
    """The same network with the plain layers that ours derive from, whose weights are the same."""
    import keras

    from mnist_models import layers

    plain = {
        layers.FusedBatchNormalization: keras.layers.BatchNormalization,
        layers.TunableDropout: keras.layers.Dropout,
    }

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return plain.get(type(layer), type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
