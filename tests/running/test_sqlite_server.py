"""How our server lives with SQLite: real connections to a real uvicorn; its application notes what it sees."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import httpx
import pytest
import uvicorn
from websockets.sync.client import connect

from running.sqlite_server import Application, Message, OneAtATime, Receive, Send

CLIENTS = 8
GARBAGE = """
import sys, threading, time
from running.sqlite_server import collect_garbage_in_a_thread

class Cursor:
    def __init__(self):
        self.itself = self
    def __del__(self):
        freed.add("event loop" if threading.current_thread() is threading.main_thread() else "other")

freed = set()
if "--in-a-thread" in sys.argv:
    collect_garbage_in_a_thread()
for _ in range(100_000):
    Cursor()
while not freed:
    time.sleep(0.1)
print(*freed)
"""


class Recorder:
    """An ASGI application that refuses its first requests, as Prefect does where SQLite refuses a transaction.

    Args:
        refusals: So many requests are answered with 503.
    """

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.bodies: list[bytes] = []
        self.inside = self.most_inside = 0
        self.fails = ""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.echo(receive, send)
            return
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.answer(receive, send)
        finally:
            self.inside -= 1

    async def answer(self, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        self.bodies.append(body)
        for _ in range(10):
            await asyncio.sleep(0.001)  # here another request could come in
        if self.fails == "before the answer":
            raise RuntimeError(self.fails)
        refused = len(self.bodies) <= self.refusals
        status = HTTPStatus.SERVICE_UNAVAILABLE if refused else HTTPStatus.OK
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body[:10], "more_body": True})
        await send({"type": "http.response.body", "body": body[10:]})
        if self.fails == "after the answer":
            raise RuntimeError(self.fails)

    async def echo(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


@contextlib.contextmanager
def served(application: Application) -> Iterator[str]:
    """Serves an application in a thread, on a free port; yields host and port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def post_side_by_side(address: str, bodies: list[bytes]) -> list[httpx.Response]:
    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(lambda body: httpx.post(f"http://{address}", content=body, timeout=30), bodies))


@pytest.mark.parametrize("ordered", [True, False])
def test_requests_are_served_one_after_the_other(ordered: bool) -> None:
    application = Recorder()
    bodies = [b"request %d" % number for number in range(5 * CLIENTS)]
    with served(OneAtATime(application) if ordered else application) as address:
        answers = post_side_by_side(address, bodies)
    assert [answer.content for answer in answers] == bodies
    assert sorted(application.bodies) == sorted(bodies)
    assert (application.most_inside == 1) == ordered, "else this test could not fail"


def test_a_refused_request_is_tried_again_with_its_whole_body() -> None:
    application = Recorder(refusals=3)
    body = bytes(range(256)) * 4096  # a megabyte comes in several messages
    with served(OneAtATime(application)) as address:
        answer = httpx.post(f"http://{address}", content=body, timeout=30)
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, body)
    assert application.bodies == [body] * 4


def test_what_is_refused_every_time_is_refused_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneAtATime, "PAUSE", 0.0)
    application = Recorder(refusals=10_000)
    with served(OneAtATime(application)) as address:
        answer = httpx.post(f"http://{address}", content=b"never", timeout=30)
    assert (answer.status_code, answer.content) == (HTTPStatus.SERVICE_UNAVAILABLE, b"never")
    assert len(application.bodies) == OneAtATime.TRIES


def test_others_are_served_between_two_tries() -> None:
    application = Recorder(refusals=CLIENTS)
    bodies = [b"request %d" % number for number in range(CLIENTS)]
    with served(OneAtATime(application)) as address:
        answers = post_side_by_side(address, bodies)
    assert [(answer.status_code, answer.content) for answer in answers] == [(HTTPStatus.OK, body) for body in bodies]
    assert application.most_inside == 1


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_an_error_holds_nobody_up(when: str) -> None:
    application = Recorder()
    with served(OneAtATime(application)) as address:
        application.fails = when
        failed = httpx.post(f"http://{address}", timeout=30).status_code
        application.fails = ""
        assert httpx.post(f"http://{address}", timeout=30).status_code == HTTPStatus.OK
    assert failed == (HTTPStatus.INTERNAL_SERVER_ERROR if when == "before the answer" else HTTPStatus.OK)


def test_an_open_websocket_holds_nobody_up() -> None:
    with served(OneAtATime(Recorder())) as address, connect(f"ws://{address}") as websocket:
        assert httpx.post(f"http://{address}", content=b"request", timeout=30).content == b"request"
        websocket.send("still here")
        assert websocket.recv(30) == "still here"


@pytest.mark.parametrize(("options", "where"), [(["--in-a-thread"], "other"), ([], "event loop")])
def test_garbage_is_not_collected_by_the_event_loop(options: list[str], where: str) -> None:
    command = [sys.executable, "-c", GARBAGE, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == where.split()
