"""What an image is known by: a digest of its pixels, and a hash that images which look alike nearly share.

The hash is the perceptual one of Zauner 2010: signs of an image's lowest frequencies. They are compared with the
medians of the data set and not of the image, so that each bit is set for half of the images, whatever these show.
"""

from __future__ import annotations

import hashlib

import numpy as np

from mnist_models.inspection.chunks import chunks

BITS = 64
FREQUENCIES = 10  # of each direction, out of whose products the lowest are taken
SAMPLE = 20_000  # images whose medians stand for all


def pixel_digests(pixels: np.ndarray) -> np.ndarray:
    """Returns a digest of each image, bytes of 16 [n]: equal for equal pixels."""
    parts = [np.array([_digest(image) for image in chunk], dtype="S16") for chunk in chunks(pixels)]
    return np.concatenate([*parts, np.zeros(0, dtype="S16")])


def perceptual_hashes(pixels: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """Returns a hash of each image, uint64 [n].

    Args:
        pixels: uint8 [n, height, width, channels].
        medians: From `median_frequencies`, of all images among which some are to be found alike.
    """
    parts = [np.packbits(low_frequencies(chunk) > medians, axis=1) for chunk in chunks(pixels)]
    packed = np.concatenate(parts) if parts else np.zeros((0, BITS // 8), dtype=np.uint8)
    return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


def median_frequencies(pixels: np.ndarray) -> np.ndarray:
    """Returns the median of each frequency over evenly spaced images, float32 [64].

    Args:
        pixels: uint8 [n, height, width, channels], at least one image.
    """
    some = pixels[:: max(len(pixels) // SAMPLE, 1)]
    medians: np.ndarray = np.median(np.concatenate([low_frequencies(chunk) for chunk in chunks(some)]), axis=0)
    return medians


def low_frequencies(pixels: np.ndarray) -> np.ndarray:
    """Returns the lowest frequencies of the mean of the channels, whatever brightness and contrast: float32 [n, 64].

    The very lowest, which is brightness, is left out; the others have a length of 1, or 0 where there is nothing.

    Args:
        pixels: uint8 [n, height, width, channels].
    """
    count, height, width, channels = pixels.shape
    grey = pixels.reshape(-1, width) if channels == 1 else pixels.mean(axis=3, dtype=np.float32).reshape(-1, width)
    rows = grey.astype(np.float32) @ _cosines(width).T
    columns = rows.reshape(count, height, FREQUENCIES).transpose(0, 2, 1).reshape(-1, height)
    products = (columns @ _cosines(height).T).reshape(count, FREQUENCIES**2)
    places = sorted((u + v, u * FREQUENCIES + v) for u in range(FREQUENCIES) for v in range(FREQUENCIES))
    lowest: np.ndarray = products[:, [place for _, place in places[1 : BITS + 1]]]
    lowest /= np.maximum(np.linalg.norm(lowest, axis=1, keepdims=True), np.float32(1e-6))
    return lowest


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def _cosines(size: int) -> np.ndarray:
    """The discrete cosine transform of so many pixels, its lowest frequencies, float32 [10, size]."""
    angles = np.pi * (np.arange(size) + 0.5) * np.arange(FREQUENCIES)[:, np.newaxis] / size
    return np.cos(angles).astype(np.float32)
