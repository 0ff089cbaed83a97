"""Where a model looks: how much less it believes in its answer when a part of the picture is covered.

Occlusion (Zeiler & Fergus 2014) asks the model itself, whatever engine runs it; no gradients are needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

PATCH_SHARE = 7  # a patch covers this part of the picture's longer side
MOST_PLACES = 28  # along each side
LOWEST_PROBABILITY = 1e-7
SCALE = 10  # pixels of the written picture for one of the network's
WARM, COLD = (213, 94, 0), (0, 114, 178)  # Okabe & Ito, as in the report: speaks for the answer, against it


def saliency(image: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Returns how much each place speaks for the answer: float32 [height, width], in nats, negative where against it.

    Args:
        image: uint8 [height, width, channels], as the network is fed.
        predict: uint8 [n, height, width, channels] → float32 [n, classes].
    """
    height, width, _ = image.shape
    patch = max(2, round(max(height, width) / PATCH_SHARE))
    step = max(1, -(-max(height, width) // MOST_PLACES))
    corners = [(top, left) for top in range(-patch + 1, height, step) for left in range(-patch + 1, width, step)]
    ground = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]), axis=0).astype(np.uint8)
    covered = np.repeat(image[None], len(corners), axis=0)
    for one, (top, left) in zip(covered, corners, strict=True):
        one[max(top, 0) : top + patch, max(left, 0) : left + patch] = ground
    whole = predict(image[None])[0]
    answer = int(whole.argmax())
    drops = _log(whole[answer]) - _log(predict(covered)[:, answer])
    total, times = np.zeros((2, height, width), np.float32)
    for drop, (top, left) in zip(drops, corners, strict=True):
        area = slice(max(top, 0), top + patch), slice(max(left, 0), left + patch)
        total[area] += drop
        times[area] += 1
    mean: np.ndarray = total / times
    return mean


def draw_seen(image: np.ndarray) -> bytes:
    """Draws what the network saw as PNG, each of its pixels as a square."""
    return _as_png(_enlarge(_as_rgb(image)))


def draw_saliency(image: np.ndarray, map_: np.ndarray) -> bytes:
    """Draws a map over the picture as PNG: orange speaks for the answer, blue against it."""
    strength = np.clip(map_ / max(float(np.abs(map_).max()), 1e-9), -1, 1)[..., None]
    colour = np.where(strength > 0, np.array(WARM), np.array(COLD))
    share = 0.8 * np.abs(strength)
    mixed = (1 - share) * _as_rgb(image) * 0.6 + share * colour
    return _as_png(_enlarge(mixed.astype(np.uint8)))


def _log(probability: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.log(np.maximum(probability, LOWEST_PROBABILITY))
    return result


def _as_rgb(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _enlarge(image: np.ndarray) -> np.ndarray:
    return image.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def _as_png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    return file.getvalue()
