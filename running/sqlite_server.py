"""Prefect's own server application, made to live with SQLite: for `make ui` and for a run's temporary server.

As the process of the temporary server it is started by `running.server` as `python -P sqlite_server.py DESCRIPTOR`; it
ends when its standard input does, that is with the run, whatever killed that.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class OneAtATime:
    """Serves requests one after the other, and tries one again whose transaction SQLite refused.

    SQLite refuses a transaction that reads, and then writes after another has written. Prefect answers such a request
    with status 503, of which nothing was kept, and its client then waits for two seconds or more.

    Args:
        application: Whose requests to order.
    """

    TRIES = 20  # Prefect's own services write, too
    PAUSE = 0.01  # seconds between two tries; the other transaction has ended within milliseconds

    def __init__(self, application: Application) -> None:
        self.application = application
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serves one connection, as ASGI describes it."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        request = [await receive()]
        while request[-1].get("more_body"):
            request.append(await receive())
        for left in reversed(range(self.TRIES)):
            async with self._turn:
                answer = await self._try(scope, request, receive)
            if not left or not answer or answer[0].get("status") != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(self.PAUSE)
        for message in answer:
            await send(message)

    async def _try(self, scope: Message, request: list[Message], receive: Receive) -> list[Message]:
        messages = iter(request)
        answer: list[Message] = []

        async def replay() -> Message:
            return next(messages, None) or await receive()

        async def keep(message: Message) -> None:
            answer.append(message)

        try:
            await self.application(dict(scope), replay, keep)
        except Exception:
            if not answer:
                raise  # else Prefect has logged the error and answered, and only says so
        return answer


def serve(listening: socket.socket, *, temporary: bool = False) -> None:
    """Serves Prefect's API and UI on an open socket until SIGTERM or SIGINT comes.

    Args:
        listening: Where requests come in.
        temporary: Leave out what serves others than a run of this process, such as schedules and UI.
    """
    gc.disable()  # imports make thousands of objects and no garbage; looking for it would take a fifth of the time
    import uvicorn
    from prefect.server.api.server import create_app

    application = OneAtATime(create_app(ephemeral=temporary, final=True))
    gc.freeze()
    collect_garbage_in_a_thread()
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="on"))
    server.run(sockets=[listening])


def collect_garbage_in_a_thread() -> None:
    """From now on a thread of its own collects garbage, and no other thread does.

    A failed statement leaves its cursor in a cycle of references, and to free it, SQLite waits for the cursor's
    connection. That may itself be waiting for a transaction which only the event loop can end. Were the event loop to
    collect the garbage, as Python has it, all would stand still until SQLite's timeout of 60 seconds, "database is
    locked".
    """
    gc.disable()
    threading.Thread(target=_collect_garbage, daemon=True).start()


def _collect_garbage() -> None:
    for second in itertools.count(1):
        time.sleep(1)
        gc.collect(1 if second % 60 else 2)  # the young objects; once a minute all


def _end_with_run() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_run, daemon=True).start()
    serve(socket.socket(fileno=int(sys.argv[1])), temporary=True)
