"""What a request may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


class RefusedError(Exception):
    """A request that gets no answer but this.

    Args:
        status: Of HTTP.
        reason: What was expected, what came, and what to do.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of all that wait.

    Attributes:
        body: Bytes of a body.
        json: Bytes of a JSON body, which takes many times as much memory once read.
        pictures: In one request.
        pixels: Of one picture; a JPEG is shrunk while it is unpacked.
        waiting: Pictures of all requests that wait.
        seconds_to_read: Until a body has arrived.
        seconds_to_answer: Until a picture is answered.
    """

    body: int = 32_000_000
    json: int = 8_000_000
    pictures: int = 1_000
    pixels: int = 16_000_000
    waiting: int = 4_000
    seconds_to_read: float = 10.0
    seconds_to_answer: float = 30.0
