"""Records of a run built by hand: for the report, its plots and pictures."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.judging.evaluation import FinalResult, MemberScore, Mistake
from mnist_models.judging.quality import Quality, calibration
from mnist_models.judging.scores import Score, balanced_accuracy, class_scores, macro_f1, wilson_interval
from mnist_models.report.run import StageResult
from mnist_models.search.trials import Decision, Finalist, Trial
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


def halved_study(configurations: int = 27, seed: int = 1, rungs: int = 3) -> tuple[Trial, ...]:
    """Trials of a search that trains a third further at each rung, each on three times the images; the first is what
    the search started from."""
    generator = np.random.default_rng(seed)
    going: list[tuple[int, dict[str, Any], float]] = [
        (0, values, _quality(values) + 0.02 * float(generator.normal()))
        for values in _recipes(configurations, generator)
    ]
    trials: list[Trial] = []
    for rung in range(rungs):
        images, told = 6_000 * 3**rung, []
        for parent, values, quality in going:
            before = trials[parent - 1].curve if parent else ()
            seen = trials[parent - 1].images if parent else 0
            curve = (*before, *(quality + 4 / math.sqrt(seen + (images - seen) * part) for part in (0.33, 0.67, 1.0)))
            fields: dict[str, Any] = {
                "epochs": 3**rung,
                "best_epoch": 3**rung,
                "seconds": 2.5 * 3**rung,
                "curve": curve,
            }
            told.append((len(trials) + 1, values, quality + 0.01 * float(generator.normal()) / 3**rung))
            trials.append(
                trial(told[-1][0], curve[-1], parent=parent or None, values=values, rung=rung, images=images, **fields)
            )
        ranked = sorted(told, key=lambda each: trials[each[0] - 1].val_loss or 0)
        going = sorted(ranked[: len(ranked) // 3]) if rung + 1 < rungs else ranked
        for place, (number, _, _) in enumerate(ranked, start=1):
            dropped = f"dropped: {place}th of {len(ranked)}, {len(going)} go on"
            on = "promoted" if rung + 1 < rungs else "finished"
            fate = on if place <= len(going) else dropped
            trials[number - 1] = trials[number - 1].model_copy(update={"fate": fate})
    again = [t for t in trials if t.fate == "finished"]  # with another seed, from the beginning
    seed = {"parent": None, "seed": 1}
    return (*trials, *(t.model_copy(update={"number": len(trials) + n, **seed}) for n, t in enumerate(again, 1)))


def _recipes(count: int, generator: np.random.Generator) -> list[dict[str, Any]]:
    choices: dict[str, list[Any]] = {
        "stem_filters": [8, 16, 32], "middle_filters": [32, 64, 96], "filters": [64, 96, 128],
        "optimizer": ["muon", "sgd", "adam"], "learning_rate": [0.01, 0.03, 0.1, 0.3],
        "weight_decay": [0.0, 1e-4, 5e-4, 1e-3], "label_smoothing": [0.0, 0.05, 0.1],
        "rotation_range": [0.0, 0.02, 0.1, 0.5], "width_shift_range": [0.0, 0.036, 0.071], "views": ["one", "shifts"],
    }  # fmt: skip
    return [{name: values[generator.integers(len(values))] for name, values in choices.items()} for _ in range(count)]


def _quality(values: dict[str, Any]) -> float:
    """Validation loss at the end of all training: the optimiser, its rate and too much rotation matter."""
    far = abs(math.log10(values["learning_rate"] / 0.1))
    return (
        0.02
        + 0.03 * far
        + {"muon": 0.0, "sgd": 0.02, "adam": 0.05}[values["optimizer"]]
        + values["rotation_range"] / 20
    )


def decision(trials: tuple[Trial, ...], replaced: bool = True) -> Decision:
    """What the end of `halved_study` says."""
    ranked = sorted((t for t in trials if t.fate == "finished" and t.seed == 0), key=lambda t: t.val_loss or 0)
    losses = [t.val_loss or 0 for t in ranked]
    return Decision(
        winner=ranked[0].number,
        incumbent=ranked[-1].number,
        difference=losses[-1] - losses[0] if replaced else 0.0004,
        interval=(0.0012, 0.0063) if replaced else (-0.0011, 0.0019),
        replaced=replaced,
        best_probability=0.83,
        finalists=tuple(
            Finalist(trial=t.number, val_loss=loss, interval=(loss - 0.004, loss + 0.005), seeds=2)
            for t, loss in zip(ranked, losses, strict=True)
        ),
        words=f"Trial {ranked[0].number} is {'' if replaced else 'not '}better than what the search started from.",
    )


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
