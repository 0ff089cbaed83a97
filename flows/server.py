"""Prefect's temporary server, which must not outlive the run that started it."""

from __future__ import annotations

import contextlib
import functools
import logging
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextvars import copy_context

from prefect.server.api import server as module
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

GUARD = """
import os, select, signal, sys
server = os.pidfd_open(int(sys.argv[1]))
poll = select.poll()
poll.register(0, select.POLLHUP)
poll.register(server, select.POLLIN)
if server not in [descriptor for descriptor, _ in poll.poll()]:
    signal.pidfd_send_signal(server, signal.SIGKILL)
"""
"""Waits until the run or its server has ended; a pipe's end tells of the run, whatever killed it."""


def start_temporary_server() -> None:
    """Starts Prefect's own temporary server where no other is configured; one that dies is started again.

    Prefect's client tries again for longer than that takes, so the run carries on.
    """
    if get_current_settings().api.url:
        return
    server = SubprocessASGIServer()
    with _in_new_sessions():
        server.start()
    threading.Thread(target=copy_context().run, args=(_keep_alive, server), daemon=True).start()


def leave_temporary_server() -> None:
    """From now on a server that ends is not started again."""
    _left.set()


def kill_temporary_server() -> None:
    """Ends the server at once; the guards end by themselves."""
    _left.set()
    process = SubprocessASGIServer().server_process
    if process:
        process.kill()


def _keep_alive(server: SubprocessASGIServer) -> None:
    while server.server_process and not _left.is_set():
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", GUARD, str(server.server_process.pid)]
            _guards.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
        status = server.server_process.wait()
        if not _left.is_set():
            LOG.warning("Prefect's temporary server ended with status %d; starting it again.", status)
            with _in_new_sessions():
                server.server_process = server._run_uvicorn_command()


@contextlib.contextmanager
def _in_new_sessions() -> Iterator[None]:
    """Keeps the terminal's Ctrl-C from the server, which has yet to store how the run ends."""
    detached = functools.partial(subprocess.Popen, start_new_session=True)
    vars(module)["subprocess"] = types.SimpleNamespace(**{**vars(subprocess), "Popen": detached})
    try:
        yield
    finally:
        vars(module)["subprocess"] = subprocess


LOG = logging.getLogger(__name__)
_left = threading.Event()
_guards: list[subprocess.Popen[bytes]] = []  # they hold the pipes open
