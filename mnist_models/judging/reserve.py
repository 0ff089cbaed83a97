"""The reserve: test images that only the gate sees, so that no report leads anybody to tune on them."""

from __future__ import annotations

import hashlib

import numpy as np

_WHOLE = 2**64


def in_reserve(pixels: np.ndarray, share: float) -> np.ndarray:
    """Returns bool [n]: which images belong to the reserve.

    An image's own bytes decide, and nothing else: no other seed, order or subset lets out what was once kept back, and
    a smaller share is part of a larger one.

    Args:
        pixels: uint8 [n, height, width, channels].
        share: Of all images that belong to the reserve, about; 0 for none.
    """
    firsts = (hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()[:8] for image in pixels)
    return np.array([int.from_bytes(first) < share * _WHOLE for first in firsts], dtype=bool)


def open_rows(pixels: np.ndarray, share: float) -> np.ndarray:
    """Returns the row numbers of the images that reports may show, ascending: all but the reserve.

    Args:
        pixels: uint8 [n, height, width, channels].
        share: Of the reserve.

    Raises:
        ValueError: If there are none.
    """
    return _some(np.flatnonzero(~in_reserve(pixels, share)), "a report", share)


def gate_rows(pixels: np.ndarray, share: float) -> np.ndarray:
    """Returns the row numbers of the images that the gate compares on: the reserve, or all where nothing is reserved.

    Args:
        pixels: uint8 [n, height, width, channels].
        share: Of the reserve.

    Raises:
        ValueError: If there are none.
    """
    return _some(np.flatnonzero(in_reserve(pixels, share)), "the gate", share) if share else np.arange(len(pixels))


def _some(rows: np.ndarray, whose: str, share: float) -> np.ndarray:
    if not len(rows):
        raise ValueError(f"Expected a --reserve that leaves test images to {whose}. Received: {share:g}")
    return rows
