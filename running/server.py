"""Prefect's temporary server, which must not outlive the run that started it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from running.recorder import IN_BATCHES

SCRIPT = Path(__file__).with_name("sqlite_server.py")
SERVER_DEFAULTS = {  # where the user's environment does not say otherwise
    "PREFECT_SERVER_UI_ENABLED": "false",  # nobody could look at it for long
    **IN_BATCHES,
}
START_TIMEOUT = 120.0  # seconds; a busy machine needs a while
STOP_TIMEOUT = 5.0

LOG = logging.getLogger(__name__)


class ServerError(RuntimeError):
    """The temporary server cannot start."""


class TemporaryServer:
    """Prefect's API in a process of its own, on a free port; a process that dies is replaced.

    This process opens the port and the server inherits it. Whoever connects before the server is ready, or while it is
    started again, waits in the queue instead of being refused.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        self._left = threading.Event()
        self._process = self._start()
        atexit.register(self.stop)

    def wait_until_ready(self) -> None:
        """Waits for the first answer, and replaces from then on a server that dies.

        Raises:
            ServerError: If the server ended before, or gave none in time.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None:
                raise ServerError(f"Prefect's temporary server ended with status {self._process.returncode}.")
            if time.monotonic() > deadline:
                raise ServerError(f"Prefect's temporary server did not answer within {START_TIMEOUT:.0f} s.")
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def leave(self) -> None:
        """From now on a server that ends is not started again."""
        self._left.set()

    def kill(self) -> None:
        """Ends the server at once."""
        self.leave()
        self._process.kill()

    def stop(self) -> None:
        """Ends the server and waits for it: it stores what it has been told."""
        self.leave()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        """In a new session, so that the terminal's Ctrl-C does not reach it: it has yet to store how the run ends."""
        descriptor = self._socket.fileno()
        command = [sys.executable, "-P", str(SCRIPT), str(descriptor)]
        environment = {**SERVER_DEFAULTS, **os.environ}
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, pass_fds=[descriptor], start_new_session=True
        )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return True
        except OSError:
            return False

    def _keep_alive(self) -> None:
        while not self._left.is_set():
            status = self._process.wait()
            if not self._left.is_set():
                LOG.warning("Prefect's temporary server ended with status %d; starting it again.", status)
                self._process = self._start()


def start_temporary_server() -> None:
    """Starts the server while Prefect is yet to be imported, which takes as long as the server does.

    Prefect's settings, which may name another server in a file, are known only then; see `temporary_server`.
    """
    if not os.environ.get("PREFECT_API_URL"):
        _servers.append(TemporaryServer())


def temporary_server() -> TemporaryServer | None:
    """Returns this process's temporary server, or None where Prefect's settings name another."""
    from prefect.settings import get_current_settings

    if get_current_settings().api.url:
        for server in _servers:
            server.kill()
        return None
    if not _servers:
        start_temporary_server()
    return _servers[0]


def client_settings(server: TemporaryServer) -> dict[Any, Any]:
    """Returns the settings of Prefect's client for a temporary server."""
    from prefect import settings

    return {
        settings.PREFECT_API_URL: server.url,
        settings.PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,  # each client would ask for a token, and get none
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # for those who outlive us; costs each flow a second to end
    }


_servers: list[TemporaryServer] = []
