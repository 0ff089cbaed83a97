"""Running a flow from the terminal: settings in, progress and a table out.

Imports Prefect only once the settings are known to be good.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NoReturn

from mnist_models.foundation.settings import Settings
from running.command_line import parse_command_line
from running.server import TemporaryServer, client_settings, start_temporary_server, temporary_server

if TYPE_CHECKING:
    from collections.abc import Callable

OUR_PACKAGES = ("flows", "running", "tasks", "mnist_models")
PREFECT_DEFAULTS = {  # where the user's environment does not say otherwise
    "PREFECT_LOGGING_LEVEL": "WARNING",  # our own lines tell the story
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(OUR_PACKAGES),  # and reach Prefect's UI
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds: deployments/automations.py takes longer silence for death
}
STOP_TIMEOUT = 8.0  # seconds for a clean stop
STOPPED_STATUS = 130  # as a shell says of what Ctrl-C ended
STORED_TIMEOUT = 30.0  # seconds to wait for Prefect's server to have stored all task runs

LOG = logging.getLogger(__name__)


def read_settings(arguments: str = "") -> Settings:
    """Reads and checks the settings; exits with status 2 where one is wrong, before any work.

    Args:
        arguments: What else the command line takes, for `--help`.
    """
    return ready(parse_command_line(usage=arguments))


def ready(settings: Settings) -> Settings:
    """Checks that a run with these settings has its data and its store, and prepares it; exits with status 2 if not."""
    from mnist_models.data.preprocessing import open_data
    from mnist_models.foundation.store import Store
    from mnist_models.objects.copies import VARIABLE
    from mnist_models.sources.source import DataError
    from running.reaching import check_cluster, check_libraries
    from tasks.options import options_of

    try:
        check_libraries(settings)
        os.environ[VARIABLE] = str(settings.cache_size)  # of this machine, so of all that this run starts here
        Store(settings.store).check_writable()
        open_data(settings.data, options_of(settings))
        if settings.cluster:
            check_cluster(settings.cluster)
    except (DataError, OSError, ModuleNotFoundError) as error:
        _refuse(str(error))
    prepare()
    return settings


def prepare() -> None:
    """What comes before the import of Prefect: the server starts meanwhile, and nobody looks for garbage."""
    for name, value in PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    start_temporary_server()
    gc.disable()


def run(flow: Callable[[Settings], Any], settings: Settings) -> None:
    """Runs a flow in a thread, while this one waits for signals.

    Exits with status 1 where it fails, 2 where the data or the minutes turn out not to do, 130 if stopped.

    Args:
        flow: A flow of the settings.
        settings: From `read_settings`.
    """
    from prefect.logging.configuration import setup_logging
    from prefect.settings import temporary_settings

    from mnist_models.sources.source import DataError
    from mnist_models.time_budget.fitting import TimeTooShortError
    from running.live import show
    from tasks.progress import PROGRESS
    from tasks.stopping import STOPPED
    from tasks.workers.started import close_workers

    gc.freeze()
    gc.enable()
    server = temporary_server()
    with (
        temporary_settings(client_settings(server) if server else {}),
        ThreadPoolExecutor(1, thread_name_prefix="flow") as thread,
    ):
        setup_logging()
        refusals = (DataError, TimeTooShortError)
        _keep_from_terminal(*refusals)
        PROGRESS.workers = settings.workers
        _log_to_terminal(show(PROGRESS, settings.profile))
        done = thread.submit(copy_context().run, _run_flow, flow, settings, server)
        _stop_on_signals(done, settings, server)
        try:
            _wait(done)
        except STOPPED:
            LOG.warning("Stopped. The same command goes on from what is kept in %s.", settings.store)
            raise SystemExit(STOPPED_STATUS) from None
        except refusals as error:
            _refuse(str(error))
        except Exception as error:
            LOG.error("%s: %s", type(error).__name__, error)
            LOG.error("The same command goes on from what is kept in %s.", settings.store)
            raise SystemExit(1) from None
        finally:
            if server:
                server.leave()
            close_workers()


def _wait(done: Future[None]) -> None:
    """Waits for the flow, and ends the display before anything is said of how it ended."""
    from running.live import hide

    try:
        done.result()
    finally:
        hide()


def _run_flow(flow: Callable[[Settings], Any], settings: Settings, server: TemporaryServer | None) -> None:
    from tasks.workers.interface import WorkersClosedError
    from tasks.workers.started import workers_closed

    if server:
        server.wait_until_ready()
    if workers_closed():
        raise WorkersClosedError("the run is stopping")
    try:
        flow(settings)
    finally:
        wait_until_stored()


def _stop_on_signals(done: Future[None], settings: Settings, server: TemporaryServer | None) -> None:
    """The first SIGINT or SIGTERM stops the run cleanly; the second, or a clean stop that takes too long, at once."""
    from running.live import hide
    from tasks.workers.started import close_workers, workers_closed

    def end() -> None:
        hide()
        LOG.warning("Stopped at once. The same command goes on from what is kept in %s.", settings.store)
        if server:
            server.kill()
        os._exit(STOPPED_STATUS)

    def stop(number: int, frame: object) -> None:
        if workers_closed():
            end()
        LOG.warning("Stopping at %s; once more to stop at once.", signal.Signals(number).name)
        logging.getLogger("prefect").setLevel(logging.CRITICAL)  # to it, each cancelled task is an error
        close_workers()
        timer = threading.Timer(STOP_TIMEOUT, lambda: None if done.done() else end())
        timer.daemon = True
        timer.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def run_alone(*stages: Callable[..., Any], tell: Callable[[Any], None] | None = None) -> None:
    """Runs some stages, one after the other; names of stages before the options choose among them.

    Args:
        *stages: Flows of the settings.
        tell: Called with what each stage returns.
    """
    known = {stage.__name__: stage for stage in stages}
    chosen = [known[name] for name in itertools.takewhile(known.__contains__, sys.argv[1:])]
    del sys.argv[1 : len(chosen) + 1]
    settings = read_settings(f"[{' | '.join(known)}] ")
    if settings.minutes is not None and len(chosen or stages) > 1:
        _refuse(
            f"--minutes: expected the name of one stage, or full_pipeline.py. Received: {len(chosen or stages)} stages"
        )

    def run_stages(settings: Settings) -> None:
        for stage in chosen or stages:
            result = stage(settings)
            if tell:
                tell(result)

    run(run_stages, settings)


def wait_until_stored(timeout: float = STORED_TIMEOUT) -> None:
    """Waits until Prefect's server has stored every task run of this process in its final state.

    Task runs reach the server as events; a temporary server that is stopped too early forgets the last of them.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId

    from tasks.caching import TASK_RUNS

    waiting = list(TASK_RUNS)
    deadline = time.monotonic() + timeout
    with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
        while waiting and time.monotonic() < deadline:
            some = TaskRunFilter(id=TaskRunFilterId(any_=waiting[:200]))
            stored = client.read_task_runs(task_run_filter=some, limit=200)
            done = {run.id for run in stored if run.state and run.state.is_final()}
            waiting = [run for run in waiting if run not in done]
            if waiting and not done:
                time.sleep(0.2)
    if waiting:
        LOG.warning("Prefect's server has not stored %d of %d task runs.", len(waiting), len(TASK_RUNS))


def _log_to_terminal(handler: logging.Handler | None) -> None:
    handler = handler or logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    for package in OUR_PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
        for to_server in logging.getLogger("prefect.extra").handlers:  # Prefect adds them at its import or not at all
            logger.addHandler(to_server)


def _keep_from_terminal(*kinds: type[Exception]) -> None:
    """Leaves what Prefect says of such errors, with a traceback for each task and flow, to its UI."""
    names = tuple(kind.__name__ for kind in kinds)

    def shown(record: logging.LogRecord) -> bool:
        of_a_run = record.name.startswith(("prefect.flow_runs", "prefect.task_runs"))
        return not (of_a_run and any(name in record.getMessage() for name in names))

    for handler in logging.getLogger().handlers:
        handler.addFilter(shown)


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"{sys.argv[0].rpartition('/')[2]}: {message}\n")
    raise SystemExit(2)
