"""Whether a data set is pen on paper in MNIST's form, as measured on its images, not as its name says."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_models.foundation.records import Record

SAMPLE = 2_000  # images, evenly over the data set
DARK = 32  # mean grey level of a border without ink
CENTRED = 0.75 / 28  # of the side: MNIST shifts by whole pixels, so that the centre of mass lies within half a one
SHARE = 0.9  # of the images that must be so; in MNIST's test set 99.97 % are


class Pen(Record):
    """How handwriting was brought to one form: bright on dark, its longer side `box` pixels, centred by mass.

    Attributes:
        box: Pixels of the longer side of the ink; 20 of 28 in MNIST (LeCun et al. 1998).
    """

    box: int


def measure_pen(images: np.ndarray) -> Pen | None:
    """Returns the form of a data set of handwriting, or None where the images are of another kind.

    Args:
        images: uint8 [n, height, width, channels].
    """
    if images.shape[3] != 1 or not len(images):
        return None
    sample = np.ascontiguousarray(images[:: max(1, len(images) // SAMPLE), :, :, 0])
    longer, centred = _longer_side(sample), _is_centred(sample)
    box = int(np.bincount(longer).argmax())
    fits = centred & (longer == box) & (_border_mean(sample) < DARK)
    return Pen(box=box) if box < min(images.shape[1:3]) and fits.mean() >= SHARE else None


def has_form(image: np.ndarray, pen: Pen) -> bool:
    """Whether one image, uint8 [height, width], has this form already; as above, and sooner for one alone."""
    sums: list[list[int]] = [image.sum(axis=axis, dtype=np.int64).tolist() for axis in (1, 0)]
    border = sum(along[0] + along[-1] for along in sums) / (2 * sum(image.shape))
    return border < DARK and max(map(_length, sums)) == pen.box and all(map(_is_centred_along, sums))


def _length(along: list[int]) -> int:
    inked = [place for place, level in enumerate(along) if level]
    return inked[-1] - inked[0] + 1 if inked else 0


def _is_centred_along(along: list[int]) -> bool:
    moment = sum(place * level for place, level in enumerate(along))
    return abs(moment / max(sum(along), 1) - len(along) // 2) <= CENTRED * len(along)


def _longer_side(images: np.ndarray) -> np.ndarray:
    ink = images.astype(bool)
    longer: np.ndarray = np.maximum(_extent(ink.any(axis=2)), _extent(ink.any(axis=1)))
    return longer


def _extent(ink: Any) -> Any:
    """Length from the first to the last True of each row of bool [n, length]; 0 where there is none."""
    length = ink.shape[1] - ink.argmax(axis=1) - ink[:, ::-1].argmax(axis=1)
    return length * ink.any(axis=1)


def _is_centred(images: np.ndarray) -> np.ndarray:
    mass = np.maximum(images.sum(axis=(1, 2), dtype=np.float64), 1)
    centred = np.full(len(images), True)
    for axis in (1, 2):
        side = images.shape[axis]
        along = images.sum(axis=3 - axis, dtype=np.float64)
        centred &= np.abs(along @ np.arange(side) / mass - side // 2) <= CENTRED * side
    return centred


def _border_mean(images: np.ndarray) -> np.ndarray:
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    mean: np.ndarray = np.concatenate(edges, axis=1).mean(axis=1)
    return mean
