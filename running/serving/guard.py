"""What happens to every request: who asks is checked, answers carry the headers of a careful site, all is counted."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from running.serving.metrics import REQUESTS, SECONDS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (  # nothing comes from elsewhere, and nothing goes there
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """Watches over an application.

    Args:
        application: Which one.
        key: What a client must send as `Authorization: Bearer KEY`, if anything.
        open_paths: Those that tell nothing of pictures, and need no key.
        paths: Those that are counted by their name; all others are "other".
    """

    def __init__(self, application: Application, key: str | None, open_paths: set[str], paths: set[str]) -> None:
        self._application = application
        self._key = key
        self._open = open_paths
        self._paths = paths

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serves one request, as ASGI describes it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        start = time.perf_counter()
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                REQUESTS.labels(path, message["status"]).inc()
            await send(message)

        if self._may_ask(scope):
            await self._application(scope, receive, send_with_headers)
        else:
            reason = "Expected the header Authorization: Bearer KEY with the server's key. Received: none, or another."
            refusal = JSONResponse({"detail": reason}, 401, {"www-authenticate": "Bearer"})
            await refusal(scope, receive, send_with_headers)
        SECONDS.observe(time.perf_counter() - start)

    def _may_ask(self, scope: Message) -> bool:
        if self._key is None or scope["path"] in self._open:
            return True
        scheme, _, sent = Headers(scope=scope).get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(sent.encode(), self._key.encode())
