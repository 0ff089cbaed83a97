"""From a picture to what a network is fed: MNIST's form for pen on paper, and as it is for all else."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mnist_models.data.pen import Pen, has_form
from mnist_models.inference.ink import as_image, as_ink, crop, even_strokes, find_ink
from mnist_models.inference.pictures import PictureError
from mnist_models.sources.decoding import fit


class BlankPictureError(PictureError):
    """A sound picture in which nothing is drawn."""


def prepare(pixels: np.ndarray, name: str, image_shape: tuple[int, int, int], pen: Pen | None) -> np.ndarray:
    """Brings a picture to the shape, and the form, of what the network was trained on.

    Args:
        pixels: uint8 [height, width] or [height, width, 3].
        name: For the message.
        image_shape: (height, width, channels) of the network's images.
        pen: The form of the handwriting that it was trained on; None where it was something else.

    Returns:
        uint8 of `image_shape`.

    Raises:
        BlankPictureError: If pen on paper is expected and nothing is drawn.
    """
    height, width, channels = image_shape
    if pen is None:
        return fit(Image.fromarray(pixels).convert("L" if channels == 1 else "RGB"), image_shape)
    if pixels.shape == (height, width) and has_form(pixels, pen):
        return np.broadcast_to(pixels[..., None], image_shape)
    drawn = crop(find_ink(pixels))
    if not drawn.size:
        raise BlankPictureError(f"{name}: expected pen on paper. Received: a picture in which nothing is drawn.")
    grey = (_centre(_into_box(drawn, pen.box), height, width) * 255 + 0.5).astype(np.uint8)
    return np.broadcast_to(grey[..., None], (height, width, channels))


def _into_box(drawn: np.ndarray, box: int) -> np.ndarray:
    """Brings the longer side to `box` pixels, with grey edges as averaging makes them, its brightest to 1."""
    even = even_strokes(drawn, box)
    longer = max(even.shape)
    size = [max(1, round(side * box / longer)) for side in even.shape]
    small = as_ink(as_image(even).resize((size[1], size[0]), Image.Resampling.LANCZOS))
    bright: np.ndarray = np.clip(small / max(float(np.percentile(small, 99)), 0.2), 0, 1)
    return bright


def _centre(drawn: np.ndarray, height: int, width: int) -> np.ndarray:
    """Puts the centre of mass into the middle by whole pixels, as far as the frame allows."""
    frame = np.zeros((height, width), np.float32)
    corner = []
    for axis, side in enumerate((height, width)):
        mass = drawn.sum(axis=1 - axis)
        centre = float(mass @ np.arange(len(mass)) / mass.sum())
        corner.append(min(max(round(side // 2 - centre), 0), side - len(mass)))
    top, left = corner
    frame[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return frame
