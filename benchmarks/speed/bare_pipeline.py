"""A Prefect flow with as many subflows and task runs as a fully cached pipeline, whose tasks do nothing.

`python -m benchmarks.speed.bare_pipeline` runs it as the pipeline runs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from mnist_models.foundation.settings import Settings
from running.terminal import prepare, run

if __name__ == "__main__":
    prepare()

# ruff: noqa: E402
from prefect import flow, task

SIDE_BY_SIDE = (1, 2, 2, 1, 2, 2, 2, 1)  # task runs of each stage


@task
def nothing(number: int) -> int:
    """Does nothing."""
    return number


@flow(name="bare_stage")
def stage(tasks: int) -> None:
    """Runs some tasks, one after the other, as a cached stage does."""
    for number in range(tasks):
        nothing.submit(number).result()


@flow(name="bare_pipeline")
def pipeline(settings: Settings | None = None) -> None:
    """One stage, eight side by side, one more, and two tasks."""
    stage(1)
    with ThreadPoolExecutor(len(SIDE_BY_SIDE)) as threads:
        running = [threads.submit(copy_context().run, stage, tasks) for tasks in SIDE_BY_SIDE]
        for one in running:
            one.result()
    stage(3)
    for number in range(2):
        nothing.submit(number).result()


if __name__ == "__main__":
    run(pipeline, Settings())
