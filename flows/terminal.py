"""Running a flow from the terminal: settings in, progress and a table out.

Imports Prefect only once the settings are known to be good.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from mnist_models.config import Settings, parse_command_line

if TYPE_CHECKING:
    from collections.abc import Callable

OUR_PACKAGES = ("flows", "tasks", "mnist_models")
PREFECT_DEFAULTS = {  # where the user's environment does not say otherwise
    "PREFECT_LOGGING_LEVEL": "WARNING",  # our own lines tell the story
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(OUR_PACKAGES),  # and reach Prefect's UI
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
STORED_TIMEOUT = 30.0  # seconds to wait for Prefect's server to have stored all task runs

LOG = logging.getLogger(__name__)


def read_settings(arguments: str = "") -> Settings:
    """Reads and checks the settings; exits with status 2 where one is wrong, before any work.

    Args:
        arguments: What else the command line takes, for `--help`.
    """
    settings = parse_command_line(usage=arguments)
    from mnist_models.dataset import EMBEDDED, DataError, load
    from mnist_models.store import Store

    try:
        Store(settings.store).check_writable()
        load(settings.data or EMBEDDED)
    except (DataError, OSError) as error:
        _refuse(str(error))
    return settings


def run(flow: Callable[[Settings], Any], settings: Settings) -> None:
    """Runs a flow, and exits with status 1 where it fails.

    Args:
        flow: A flow of the settings.
        settings: From `read_settings`.
    """
    from prefect.logging.configuration import setup_logging
    from prefect.settings import temporary_settings

    from tasks.workers import close_pools

    with temporary_settings(
        {_setting(name): value for name, value in PREFECT_DEFAULTS.items() if name not in os.environ}
    ):
        setup_logging()
        _log_to_terminal()
        try:
            flow(settings)
            wait_until_stored()
        except Exception as error:
            LOG.error("%s: %s", type(error).__name__, error)
            LOG.error("What was finished is kept in %s: the same command goes on from there.", settings.store)
            raise SystemExit(1) from error
        finally:
            close_pools()


def run_alone(*stages: Callable[..., Any]) -> None:
    """Runs some stages, one after the other; names of stages before the options choose among them.

    Args:
        *stages: Flows of the settings.
    """
    known = {stage.__name__: stage for stage in stages}
    chosen = [known[name] for name in itertools.takewhile(known.__contains__, sys.argv[1:])]
    del sys.argv[1 : len(chosen) + 1]
    settings = read_settings(f"[{' | '.join(known)}] ")

    def run_stages(settings: Settings) -> None:
        for stage in chosen or stages:
            stage(settings)

    run(run_stages, settings)


def wait_until_stored(timeout: float = STORED_TIMEOUT) -> None:
    """Waits until Prefect's server has stored every task run of this process in its final state.

    Task runs reach the server as events; a temporary server that is stopped too early forgets the last of them.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId

    from tasks.caching import TASK_RUNS

    waiting = list(TASK_RUNS)
    deadline = time.monotonic() + timeout
    with get_client(sync_client=True) as client:
        while waiting and time.monotonic() < deadline:
            some = TaskRunFilter(id=TaskRunFilterId(any_=waiting[:200]))
            stored = client.read_task_runs(task_run_filter=some, limit=200)
            done = {run.id for run in stored if run.state and run.state.is_final()}
            waiting = [run for run in waiting if run not in done]
            if waiting and not done:
                time.sleep(0.2)
    if waiting:
        LOG.warning("Prefect's server has not stored %d of %d task runs.", len(waiting), len(TASK_RUNS))


def _setting(name: str) -> Any:
    from prefect import settings

    return getattr(settings, name)


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    for package in OUR_PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"{sys.argv[0].rpartition('/')[2]}: {message}\n")
    raise SystemExit(2)
