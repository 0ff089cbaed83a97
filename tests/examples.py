"""Records of a run built by hand: for the report, its plots and pictures."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.judging.evaluation import FinalResult, MemberScore, Mistake
from mnist_models.judging.quality import Quality, calibration
from mnist_models.judging.scores import Score, balanced_accuracy, class_scores, macro_f1, wilson_interval
from mnist_models.report.run import StageResult
from mnist_models.search.trials import Trial
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec

HISTORY = {
    "loss": (0.9, 0.4, 0.2),
    "accuracy": (0.7, 0.9, 0.95),
    "val_loss": (0.5, 0.3, 0.35),
    "val_accuracy": (0.8, 0.92, 0.91),
}
FAILURE = 'the loss was not finite, "nan",\nin epoch 1'


def model(history: dict[str, tuple[float, ...]] = HISTORY, best_epoch: int = 2, **spec: Any) -> TrainingResult:
    values = {"network": "fully_connected", "hyperparameters": {"depth": 2, "activation": "relu"}, "epochs": 3}
    epochs = max((len(curve) for curve in history.values()), default=0)
    return TrainingResult(
        key="model",
        spec=TrainingSpec.model_validate({**values, **spec}),
        history=history,
        epochs=epochs,
        best_epoch=best_epoch,
        seconds=1.5,
        parameters=1234,
    )


def trial(number: int, val_loss: float | None = 0.5, **fields: Any) -> Trial:
    failure = None if val_loss is not None else FAILURE
    values: dict[str, Any] = {
        "parent": None,
        "values": {"depth": number % 3 + 1, "activation": "relu", "learning_rate": 10.0**-number},
        "epochs": 2,
        "best_epoch": 0 if failure else 2,
        "val_accuracy": None if failure else 0.9,
        "train_accuracy": None if failure else 0.8,
        "seconds": 0.25,
        "failure": failure,
    }
    return Trial(number=number, val_loss=val_loss, **{**values, **fields})


def judged(counts: np.ndarray, **more: Any) -> Quality:
    """Of a judge who is always as sure: nine of ten."""
    labels, predicted = (numbers.repeat(counts.reshape(-1)) for numbers in np.indices(counts.shape).reshape(2, -1))
    sure = np.full((len(labels), len(counts)), 0.1 / (len(counts) - 1))
    sure[np.arange(len(labels)), predicted] = 0.9
    scores = class_scores(counts)
    figures = {"balanced_accuracy": balanced_accuracy(scores), "macro_f1": macro_f1(scores)}
    return Quality(**figures, calibration=calibration(sure, labels), **more)


def final(matrix: list[list[int]], stage: str = "grid", **more: Any) -> FinalResult:
    counts = np.array(matrix)
    correct, total = int(np.trace(counts)), int(counts.sum())
    score = {"test_accuracy": correct / total, "test_loss": 0.1, "wilson_95": wilson_interval(correct, total)}
    wrong = [(row, column) for row, column in np.argwhere(counts) if row != column for _ in range(counts[row, column])]
    return FinalResult(
        key="final",
        stage=stage,
        members=(MemberScore(seed=1, **score), MemberScore(seed=2, **score)),
        ensemble=Score(**score),
        test_images=total,
        confusion_matrix=tuple(map(tuple, matrix)),
        per_class=class_scores(counts),
        quality=judged(counts),
        mistakes=tuple(
            Mistake(index=index, label=int(row), predicted=int(column), probability=0.75)
            for index, (row, column) in enumerate(wrong)
        ),
        **more,
    )


def diagonal(classes: int, mistakes: int = 0) -> list[list[int]]:
    matrix = 10 * np.eye(classes, dtype=int)
    for number in range(mistakes):
        matrix[number % classes, (number + 1) % classes] += 1
    return matrix.tolist()


def images(count: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 6, 8, channels), dtype=np.uint8)


def dataset(classes: int = 3, source: str = "mnist.npz") -> DatasetReference:
    return DatasetReference(
        key="dataset",
        fingerprint="ab" * 32,
        source=source,
        image_shape=(6, 8, 1),
        classes=classes,
        train=500,
        validation=100,
        test=33,
        files={},
    )


STAGES = [
    StageResult(name="baseline", model=model(), cached=True),
    StageResult(name="grid", model=model(), trials=(trial(1), trial(2, None), trial(3, 0.25), trial(4, 0.4, parent=1))),
]
MATRIX = [[10, 1, 0], [0, 11, 0], [2, 0, 9]]  # one 0 taken for a 1, two 2s for 0s


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height
