"""Programs that a worker keeps, to train the next network of the same shape without building and tracing it."""

from __future__ import annotations

import gc

from mnist_models.networks.by_name import Network
from mnist_models.programs.program import Program
from mnist_models.programs.shape import Shape

KEPT: dict[Network, int] = {"fully_connected": 24, "cnn": 4, "residual": 1}  # of 10, 25 and 60 MB each


def program_of(shape: Shape) -> Program:
    """Returns a program of a shape, a kept one or a new one; a training starts with its `begin`.

    Building and tracing costs as much as an epoch of a small network.
    """
    program = _programs.pop(shape.digest, None) or Program(shape)
    _programs[shape.digest] = program
    same_network = [name for name, kept in _programs.items() if kept.shape.network == shape.network]
    if len(same_network) > KEPT[shape.network]:
        del _programs[same_network[0]]
        gc.collect()  # a program refers to itself
    return program


_programs: dict[str, Program] = {}  # by the digest of their shape, the latest used last
