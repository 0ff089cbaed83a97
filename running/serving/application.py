"""The application: pictures in, answers out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mnist_models.inference.answers import answer
from mnist_models.inference.pictures import encode
from running.serving.bodies import Sent, read_body
from running.serving.current import CurrentModel
from running.serving.documentation import PREDICT, Health, Problem
from running.serving.guard import Guard
from running.serving.limits import Limits, RefusedError
from running.serving.loaded import Answered, Loaded
from running.serving.metrics import REGISTRY
from running.serving.page import read_page

LARGE = 65_536  # bytes: reading more than this is left to a thread


def create_application(current: CurrentModel, limits: Limits, key: str | None = None) -> FastAPI:
    """Makes the server's application.

    Args:
        current: The model that answers.
        limits: Of requests.
        key: What a client must send, if anything.
    """

    @contextlib.asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        await current.look()
        watching = asyncio.create_task(current.watch())
        yield
        watching.cancel()

    pages = read_page()
    application = FastAPI(
        title="What does this picture show?",
        lifespan=lifespan,
        docs_url=None,  # these pages of FastAPI load scripts from elsewhere
        redoc_url=None,
    )
    paths = {"/predict", "/health", "/metrics", "/openapi.json", *pages}
    application.add_middleware(Guard, key=key, open_paths={"/health", *pages}, paths=paths)
    application.add_exception_handler(RefusedError, _refuse)
    for path, (content, kind) in pages.items():
        application.add_api_route(path, _file(content, kind), include_in_schema=False)

    @application.post("/predict", **PREDICT)
    async def predict(request: Request, detail: bool = False) -> Response:
        body = await _read(request, limits)
        kind = request.headers.get("content-type", "")
        if len(body) > LARGE:
            sent = await asyncio.to_thread(read_body, kind, body, limits)
        else:
            sent = read_body(kind, body, limits)
        loaded = current.get()
        return _json(_reply(loaded, sent, await loaded.answer(sent), detail))

    @application.get("/health", response_model=Health, responses={503: {"model": Problem}})
    async def health() -> Response:
        return _json(_health(current.get()).model_dump())

    @application.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return application


async def _read(request: Request, limits: Limits) -> bytes:
    """Returns the body once all of it is here.

    Raises:
        RefusedError: If it is too large, or takes too long.
    """
    most = limits.json if "json" in request.headers.get("content-type", "") else limits.body
    refused = RefusedError(413, f"Expected a body of at most {most:,} bytes. Received: more.")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise refused
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds_to_read):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise refused
    except TimeoutError:
        raise RefusedError(408, f"Expected the body within {limits.seconds_to_read:.0f} s. It took longer.") from None
    return bytes(body)


def _reply(loaded: Loaded, sent: list[Sent], answered: list[Answered], detail: bool) -> dict[str, Any]:
    names = loaded.model.class_names
    answers = []
    for one, found in zip(sent, answered, strict=True):
        entry = answer(one.name, found.probabilities, names).model_dump()
        if detail:
            entry["probabilities"] = found.probabilities.tolist()
            entry["seen"] = f"data:image/png;base64,{base64.b64encode(encode(found.image)).decode()}"
        answers.append(entry)
    return {"model": loaded.model.file.name, "answers": answers}


def _health(loaded: Loaded) -> Health:
    model = loaded.model
    return Health(
        model=model.file.name,
        engine=model.engine.name,
        classes=model.class_names,
        image_shape=model.engine.image_shape,
        pen=model.pen is not None,
    )


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    response = _json({"detail": error.reason}, error.status)
    if error.status == 503:
        response.headers["retry-after"] = "1"
    return response


def _file(content: bytes, kind: str) -> Callable[[], Response]:
    def send() -> Response:
        return Response(content, media_type=kind)

    return send
