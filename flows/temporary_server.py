"""The process of the temporary server: Prefect's own server application, on a socket that the run opened.

Started by `flows.server` as `python -P temporary_server.py DESCRIPTOR`; it ends when its standard input does, that is
with the run, whatever killed that.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
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


def serve(descriptor: int) -> None:
    """Serves Prefect's API on an open socket until SIGTERM comes or standard input ends."""
    threading.Thread(target=_end_with_run, daemon=True).start()
    gc.disable()  # imports make thousands of objects and no garbage; looking for it would take a fifth of the time
    import uvicorn
    from prefect.server.api.server import create_app

    application = OneAtATime(create_app(ephemeral=True, final=True))
    gc.freeze()
    gc.enable()
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="on"))
    server.run(sockets=[socket.socket(fileno=descriptor)])


def _end_with_run() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
