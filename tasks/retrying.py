"""Retries: for what another try can mend."""

from __future__ import annotations

from typing import Any

from prefect import State, Task
from prefect.client.schemas.objects import TaskRun

from tasks.workers.interface import WorkerDiedError

MENDABLE = (WorkerDiedError, OSError)
DELAYS = [1, 5]  # seconds before the next try


def can_retry(task: Task[..., Any], run: TaskRun, state: State) -> bool:
    """A dead worker is worth another try, which goes on from its last epoch; a mistake in the specification is not."""
    try:
        state.result(raise_on_failure=True)
    except MENDABLE:
        return True
    except Exception:
        return False
    return False


RETRIED: dict[str, Any] = {"retries": len(DELAYS), "retry_delay_seconds": DELAYS, "retry_condition_fn": can_retry}
"""Options of every task that works in a worker process."""
