"""Programs that a worker keeps, to train the next network of the same shape without building and tracing it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from mnist_models import augmentation
from mnist_models.dataset import DatasetReference
from mnist_models.networks import Network
from mnist_models.program import Program
from mnist_models.records import digest
from mnist_models.tunable import TUNABLE

if TYPE_CHECKING:
    from mnist_models.training import TrainingSpec

KEPT: dict[Network, int] = {"fully_connected": 24, "cnn": 4, "residual": 1}  # of 10, 25 and 60 MB each


def program_for(spec: TrainingSpec, dataset: DatasetReference) -> Program:
    """Returns a program at the beginning of a training: a kept one of the same shape, or a new one.

    Building and tracing costs as much as an epoch of a small network. Of the same shape are specifications that differ
    only in learning rate, dropout rate, L2 strength, ranges of augmentation, epochs or seed.
    """
    shape = _shape(spec, dataset)
    program = _programs.pop(shape, None)
    if program is None:
        program = Program(spec, dataset.image_shape, dataset.classes)
    else:
        program.begin(spec)
    _programs[shape] = program
    same_network = [shape for shape, kept in _programs.items() if kept.spec.network == spec.network]
    if len(same_network) > KEPT[spec.network]:
        del _programs[same_network[0]]
        gc.collect()  # a program refers to itself
    return program


def _shape(spec: TrainingSpec, dataset: DatasetReference) -> str:
    """Names what a graph depends on."""
    hyperparameters: dict[str, Any] = dict(spec.hyperparameters)
    for name in TUNABLE:
        if name in hyperparameters:
            hyperparameters[name] = bool(hyperparameters[name])
    return digest(
        [
            spec.network,
            hyperparameters,
            spec.optimizer.model_dump(exclude={"learning_rate", "schedule"}),
            None if spec.augmentation is None else augmentation.is_sharp(spec.augmentation),
            spec.label_smoothing,
            spec.batch_size,
            spec.precision,
            dataset.image_shape,
            dataset.classes,
        ]
    )


_programs: dict[str, Program] = {}  # by shape, the latest used last
