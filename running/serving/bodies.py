"""From a request's body to pictures that are yet to be decoded: one picture, a form, JSON, or an array."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Any

import numpy as np
import orjson

from mnist_models.inference.pictures import PictureError, check_array
from running.serving.limits import Limits, RefusedError

JSON, ARRAY, FORM = "application/json", "application/x-npy", "multipart/form-data"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")
MOST_HEADERS = 4_096  # bytes before a part of a form


@dataclass(frozen=True)
class Sent:
    """A picture as it was sent.

    Attributes:
        name: Its file's, or its number in the request, from 0.
        content: A picture file's bytes, or pixels uint8 [height, width] or [height, width, 3].
    """

    name: str
    content: bytes | np.ndarray


def read_body(content_type: str, body: bytes, limits: Limits) -> list[Sent]:
    """Returns a body's pictures in their order.

    Args:
        content_type: The header.
        body: All of it.
        limits: On counts.

    Raises:
        RefusedError: If the body is of another type, is not what it says, or holds nothing or too much.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type() if content_type else ""
    if kind in PICTURES:
        sent = [Sent("0", body)] if body else []
    elif kind == JSON:
        sent = _read_json(body)
    elif kind == ARRAY:
        sent = _read_array(body)
    elif kind == FORM:
        sent = _read_form(body, str(header.get_param("boundary", "")), limits.pictures)
    else:
        expected = ", ".join((*PICTURES, FORM, JSON, ARRAY))
        raise RefusedError(415, f"Expected a body of type {expected}. Received: {kind or 'none'}.")
    if not 0 < len(sent) <= limits.pictures:
        raise RefusedError(
            413 if sent else 422, f"Expected 1 to {limits.pictures:,} pictures. Received: {len(sent):,}."
        )
    return sent


def _read_json(body: bytes) -> list[Sent]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"Expected JSON. Received: something else ({error}).") from error
    if not isinstance(content, dict) or set(content) != {"images"} or not isinstance(content["images"], list):
        raise RefusedError(422, 'Expected an object {"images": [...]}. Received: something else.')
    return [Sent(str(number), _read_item(number, item)) for number, item in enumerate(content["images"])]


def _read_item(number: int, item: Any) -> bytes | np.ndarray:
    """A picture's bytes in base64, as it is or as a data URL, or its rows of pixels."""
    if isinstance(item, str):
        try:
            return base64.b64decode(item.partition(";base64,")[2] if item.startswith("data:") else item, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedError(422, f"Expected images[{number}] in base64. Received: {error}.") from error
    try:
        rows = np.array(item)
        if not isinstance(item, list) or rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() > 255:
            raise ValueError("no whole numbers from 0 to 255")
        pixels: np.ndarray = check_array(rows.astype(np.uint8)[None], f"images[{number}]")[0]
    except (ValueError, OverflowError, TypeError) as error:
        expected = "rows of pixels from 0 to 255, or a picture in base64"
        raise RefusedError(422, f"Expected images[{number}] to be {expected}. Received: {error}") from error
    return pixels


def _read_array(body: bytes) -> list[Sent]:
    try:
        array = np.load(io.BytesIO(body), allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("an archive")
        return [Sent(str(number), pixels) for number, pixels in enumerate(check_array(array, "The body"))]
    except PictureError as error:
        raise RefusedError(422, str(error)) from error
    except (ValueError, EOFError, OSError, MemoryError, TypeError, SyntaxError) as error:
        raise RefusedError(400, f"Expected an array as numpy.save writes it. Received: {error}.") from error


def _read_form(body: bytes, boundary: str, most: int) -> list[Sent]:
    """Splits a form (RFC 7578) at its boundary; fields that are no files are passed over."""
    if not re.fullmatch(r"[\x20-\x7e]{1,70}", boundary):
        raise RefusedError(400, "Expected multipart/form-data with a boundary of 1 to 70 characters. Received: none.")
    delimiter = b"\r\n--" + boundary.encode()
    parts = (b"\r\n" + body).split(delimiter, most + 2)
    if len(parts) > most + 2:
        raise RefusedError(413, f"Expected at most {most:,} parts. Received: more.")
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise RefusedError(400, "Expected a form that ends with its boundary. Received: one that is cut short.")
    return [sent for part in parts[1:-1] if (sent := _read_part(part)) is not None]


def _read_part(part: bytes) -> Sent | None:
    head, found, content = part.partition(b"\r\n\r\n")
    if not found or len(head) > MOST_HEADERS:
        raise RefusedError(400, "Expected headers before each part of a form. Received: a part without.")
    name = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip("\r\n")).get_filename()
    return None if name is None else Sent(name, content)
