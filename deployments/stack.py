"""The production shape on one machine: PostgreSQL, Prefect's server with authentication, a worker, the model's server.

    export PREFECT_SERVER_API_AUTH_STRING="admin:$(openssl rand -hex 16)"    # keep it: browser and clients need it
    python deployments/stack.py                                              # or: make stack

What ends by itself is started again. Ctrl-C stops all, the worker first; the next run resumes what was under way.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from deployments import postgres
from running.ports import is_taken
from running.recorder import IN_BATCHES
from running.serving.key import key_problem

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
PREFECT = [sys.executable, "-m", "prefect"]
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
START_TIMEOUT = 120.0  # seconds
STOP_TIMEOUT = 30.0  # seconds


class Service:
    """A process that is started again when it ends by itself.

    Args:
        name: For people, and of its log file.
        command: To start it.
        environment: Of the process.
        folder: Of its log.
        stop: The signal that ends it cleanly.
    """

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], folder: Path, stop: signal.Signals
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._log = folder / f"{name}.log"
        self._stop = stop
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self._environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def keep_alive(self) -> None:
        """Starts it again if it ended."""
        status = self.process.poll()
        if status is not None:
            LOG.warning("%s ended with status %d; starting it again. Its log: %s", self.name, status, self._log)
            self.process = self._start()

    def stop(self) -> None:
        """Ends it cleanly, or at once where that takes too long; and all that it started."""
        self.process.send_signal(self._stop)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            LOG.warning("%s does not stop; killing it.", self.name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def main() -> None:
    """Starts all, waits for a signal, stops all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".stack", help="folder of database and logs (default: .stack)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=4200, help="of the server (default: 4200)")
    parser.add_argument("--model-port", type=int, default=8000, help="of the model's server (default: 8000)")
    parser.add_argument("--silence", default="120", help="seconds after which a silent run is crashed (default: 120)")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    LOG.setLevel(logging.INFO)
    authentication = os.environ.get("PREFECT_SERVER_API_AUTH_STRING", "")
    user, _, password = authentication.partition(":")
    if not user or not password:
        parser.error("expected PREFECT_SERVER_API_AUTH_STRING=user:password in the environment; there is no default")
    if problem := key_problem(arguments.host):
        parser.error(problem)
    for option, port in (("--port", arguments.port), ("--model-port", arguments.model_port)):
        if is_taken(arguments.host, port):
            parser.error(f"port {port} is taken, by another server perhaps; {option} chooses another")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    home = arguments.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    services: list[Service] = []
    try:
        start(services, home, arguments.host, arguments.port, authentication, arguments.silence)
        serve_model(services, home, arguments.host, arguments.model_port)
        LOG.info("http://%s:%d is up; logs in %s; Ctrl-C stops all.", arguments.host, arguments.port, home)
        LOG.info("The champion answers at http://%s:%d, once there is one.", arguments.host, arguments.model_port)
        while not stop.wait(1):
            for service in services:
                service.keep_alive()
    except (postgres.PostgresError, TimeoutError, subprocess.CalledProcessError) as error:
        LOG.error("%s", error)
        raise SystemExit(1) from None
    finally:
        for service in reversed(services):
            LOG.info("stopping %s", service.name)
            service.stop()


def start(services: list[Service], home: Path, host: str, port: int, authentication: str, silence: str) -> None:
    """Starts one after the other, each once the one before is ready.

    Args:
        services: What was started, so far.
        home: Folder of database and logs.
        host: Address to listen on.
        port: To listen on.
        authentication: user:password of the server.
        silence: Seconds without a heartbeat after which a run is marked Crashed.

    Raises:
        postgres.PostgresError: If there is no PostgreSQL.
        TimeoutError: If something does not get ready.
        subprocess.CalledProcessError: If the deployments were refused.
    """
    environment = {**os.environ, **QUIET, "PREFECT_HOME": str(home / "prefect")}
    database = os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL")
    if not database:
        data = home / "postgres"
        postgres.initialise(data)
        services.append(Service("postgres", postgres.command(data), environment, home, signal.SIGINT))
        _wait("PostgreSQL", lambda: postgres.create_database(data))
        database = postgres.url(data)
    server = {
        **IN_BATCHES,
        **environment,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_UI_API_URL": "/api",  # at the address where the browser found the UI, whatever that is
    }
    command = [*PREFECT, "server", "start", "--host", host, "--port", str(port)]
    services.append(Service("server", command, server, home, signal.SIGINT))
    api = f"http://{host}:{port}/api"
    _wait("Prefect's server", lambda: httpx.get(f"{api}/ready", auth=_pair(authentication)).is_success)
    client = {**environment, "PREFECT_API_URL": api, "PREFECT_API_AUTH_STRING": authentication}
    client.pop("PREFECT_SERVER_API_AUTH_STRING")
    LOG.info("deploying")
    with (home / "setup.log").open("ab") as log:
        setup = [sys.executable, "deployments/setup.py", "--silence", silence]
        subprocess.run(setup, env=client, cwd=ROOT, stdout=log, stderr=log, check=True)
    worker = [*PREFECT, "worker", "start", "--pool", "mnist", "--limit", "1", "--name", "mnist"]
    services.append(Service("worker", worker, client, home, signal.SIGINT))


def serve_model(services: list[Service], home: Path, host: str, port: int) -> None:
    """Starts the model's server, which needs none of the others, and none of their secrets.

    Args:
        services: What was started, so far.
        home: Folder of its log.
        host: Address to listen on.
        port: To listen on.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "running/serve.py", "--host", host, "--port", str(port)]
    services.append(Service("model", command, environment, home, signal.SIGINT))


def _wait(name: str, ready: Callable[[], bool]) -> None:
    LOG.info("waiting for %s", name)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if ready():
                return
        time.sleep(0.3)
    raise TimeoutError(f"{name} did not answer within {START_TIMEOUT:.0f} s; see the logs")


def _pair(authentication: str) -> tuple[str, str]:
    user, _, password = authentication.partition(":")
    return user, password


if __name__ == "__main__":
    main()
