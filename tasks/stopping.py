"""Stopping: what ends early because the run was told to is cancelled in Prefect's eyes, not failed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from prefect.exceptions import CancelledRun
from prefect.states import Cancelled
from prefect.transactions import get_transaction

from tasks.workers import PoolClosedError

P = ParamSpec("P")
R = TypeVar("R")
STOPPED = (PoolClosedError, CancelledRun)


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

    run.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]  # Prefect reads it here
    return run
