"""Stopping: what ends early because the run was told to is cancelled in Prefect's eyes, not failed."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from prefect.exceptions import CancelledRun
from prefect.states import Cancelled
from prefect.transactions import get_transaction

from tasks.workers.interface import WorkersClosedError
from tasks.workers.started import close_workers

P = ParamSpec("P")
R = TypeVar("R")
STOPPED = (WorkersClosedError, CancelledRun)


def stop_workers(error: BaseException) -> None:
    """Stops all workers of this process, because of an error, or of a signal, which is raised as one."""
    if not isinstance(error, Exception):
        logging.getLogger("prefect").setLevel(logging.CRITICAL)  # to it, each cancelled task is an error
    close_workers()


def stoppable(function: Callable[P, R]) -> Callable[P, R]:
    """Makes the function of a task or flow end as cancelled where the run is stopping."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except STOPPED:
            transaction = get_transaction()
            if transaction is not None:
                transaction.write_on_commit = False  # Prefect would store the state as if it were a result
            return cast(R, Cancelled(message="The run was stopped; the next one goes on from here."))
        except BaseException as error:
            if not isinstance(error, Exception):  # Prefect's worker sends SIGTERM, which is raised in the main thread
                stop_workers(error)
            raise

    run.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]  # Prefect reads it here
    return run
