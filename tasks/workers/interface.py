"""Where work runs: what tasks need of it, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class WorkerDiedError(RuntimeError):
    """A worker process ended in the middle of its work: killed, out of memory, or crashed."""


class WorkersClosedError(RuntimeError):
    """The run is stopping; no work is taken any more."""


@dataclass(frozen=True)
class Turn:
    """When a function is to run.

    Attributes:
        priority: The lowest of those that wait gets the next free worker; of equals, the first.
        begun: Called when a worker begins.
    """

    priority: int = 0
    begun: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Workplace:
    """Where work runs.

    Attributes:
        processes: How many of this machine, where there is no cluster.
        cluster: Address of a Dask scheduler; None for this machine.
        store: The folder that all workers of the cluster must see; None where results lie elsewhere.
        resources: What a training takes of a worker of the cluster, by the names that its workers use.
    """

    processes: int
    cluster: str | None = None
    store: Path | None = None
    resources: tuple[tuple[str, float], ...] = ()


class Workers(Protocol):
    """Workers that take functions: processes of this machine (`tasks.workers.local`), or others (`tasks.cluster`)."""

    @property
    def count(self) -> int:
        """How many functions run at a time."""

    def run(self, turn: Turn, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a function in a worker and waits for what it returns.

        Args:
            turn: When.
            function: An importable function.
            *args: Of the function; sent to the worker, as is its result.
            **kwargs: Likewise.

        Raises:
            WorkerDiedError: If the worker died; the next call finds another.
            WorkersClosedError: If the workers were stopped.
        """

    def close(self) -> None:
        """Stops all workers at once, in the middle of their work."""
