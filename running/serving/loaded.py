"""The model that answers: loaded once per thread, asked in small batches, and replaced while requests go on."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from mnist_models.inference.model import Model, ModelFile
from mnist_models.inference.pictures import PictureError, decode
from running.serving.bodies import Sent
from running.serving.limits import Limits, RefusedError
from running.serving.metrics import BATCH, PICTURES, WAITING

LOG = logging.getLogger(__name__)
BATCH_SIZE = 16  # pictures: so long does a picture wait at most for one that came before it to the same thread


@dataclass(frozen=True)
class Answered:
    """One picture's answer.

    Attributes:
        image: What the network saw, uint8 [height, width, channels].
        probabilities: float32 [classes].
    """

    image: np.ndarray
    probabilities: np.ndarray


@dataclass(order=True)
class _Piece:
    """A few pictures of a request: the first pieces of all requests come before the second of any; none at the end."""

    number: int
    arrival: int
    sent: Sequence[Sent] = field(default=(), compare=False)
    answer: Future[list[Answered]] = field(default_factory=Future, compare=False)


class Loaded:
    """A model that is ready to answer, in threads of its own.

    Args:
        file: Which model.
        threads: How many, each with an engine that runs on one core.
        limits: On pictures.

    Raises:
        NoModelError: If the file is not what was said.
        EngineError: If it cannot be loaded.
    """

    def __init__(self, file: ModelFile, threads: int, limits: Limits) -> None:
        models = [Model(file) for _ in range(threads)]
        self.model = models[0]
        self._limits = limits
        self._threads = threads
        self._pieces: queue.PriorityQueue[_Piece] = queue.PriorityQueue()
        self._arrivals = itertools.count()
        self._waiting = 0
        for model in models:
            model.predict(np.zeros((BATCH_SIZE, *model.engine.image_shape), np.uint8))  # all is made before it is asked
            model.predict(np.zeros((1, *model.engine.image_shape), np.uint8))
            threading.Thread(target=self._answer_pieces, args=(model,), daemon=True).start()

    def close(self) -> None:
        """Ends all threads once everything that waits is answered."""
        for _ in range(self._threads):
            self._pieces.put(_Piece(sys.maxsize, sys.maxsize))

    async def answer(self, sent: Sequence[Sent]) -> list[Answered]:
        """Answers a request's pictures.

        Raises:
            RefusedError: If one cannot be read, or too many wait already.
        """
        if self._waiting + len(sent) > self._limits.waiting:
            raise RefusedError(
                503, f"Expected at most {self._limits.waiting:,} pictures to wait. Try again in a second."
            )
        pieces = [
            self._put(number, sent[at : at + BATCH_SIZE]) for number, at in enumerate(range(0, len(sent), BATCH_SIZE))
        ]
        self._count(len(sent))
        try:
            async with asyncio.timeout(self._limits.seconds_to_answer):
                return [one for piece in await asyncio.gather(*pieces) for one in piece]
        except PictureError as error:
            raise RefusedError(422, str(error)) from error
        except TimeoutError:
            raise RefusedError(
                503, f"Expected an answer within {self._limits.seconds_to_answer:.0f} s. It took longer."
            ) from None
        finally:
            self._count(-len(sent))
            for piece in pieces:
                piece.cancel()

    def _count(self, pictures: int) -> None:
        self._waiting += pictures
        WAITING.inc(pictures)

    def _put(self, number: int, sent: Sequence[Sent]) -> asyncio.Future[list[Answered]]:
        answer: Future[list[Answered]] = Future()
        self._pieces.put(_Piece(number, next(self._arrivals), sent, answer))
        return asyncio.wrap_future(answer)

    def _answer_pieces(self, model: Model) -> None:
        """Answers pieces until the last, each thread with a model of its own; small ones together."""
        while (piece := self._pieces.get()).sent:
            pieces = [piece]
            while sum(len(one.sent) for one in pieces) < BATCH_SIZE:
                try:
                    following = self._pieces.get_nowait()
                except queue.Empty:
                    break
                if not following.sent:
                    self._pieces.put(following)
                    break
                pieces.append(following)
            self._answer_batch(model, pieces)

    def _answer_batch(self, model: Model, pieces: list[_Piece]) -> None:
        prepared = [(piece, images) for piece in pieces if (images := self._prepare(model, piece)) is not None]
        if not prepared:
            return
        try:
            probabilities = model.predict(np.concatenate([images for _, images in prepared]))
        except Exception as error:  # a request must learn of it, and the thread live on
            LOG.exception("The model failed.")
            for piece, _ in prepared:
                piece.answer.set_exception(error)
            return
        BATCH.observe(len(probabilities))
        PICTURES.inc(len(probabilities))
        start = 0
        for piece, images in prepared:
            answers = zip(images, probabilities[start:], strict=False)
            piece.answer.set_result([Answered(image, shares) for image, shares in answers])
            start += len(images)

    def _prepare(self, model: Model, piece: _Piece) -> np.ndarray | None:
        """Decodes and prepares a piece's pictures; None where nobody waits for it any more, or one cannot be read."""
        if not piece.answer.set_running_or_notify_cancel():
            return None
        try:
            return np.stack([model.prepare(self._decode(one), one.name) for one in piece.sent])
        except Exception as error:  # a request must learn of it, and the thread live on
            piece.answer.set_exception(error)
            return None

    def _decode(self, sent: Sent) -> np.ndarray:
        if isinstance(sent.content, np.ndarray):
            return sent.content
        return decode(sent.content, sent.name, self._limits.pixels)
