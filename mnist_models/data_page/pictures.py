"""Images as small PNG files inside a page, each so that a browser can enlarge it without blur."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

LARGEST = 64  # pixels of a shown image's longer side; larger ones are made smaller
GAP = 2  # pixels between images of a strip
DARK = 64  # drawings on black have a median below this


def ink_on_paper(pixels: np.ndarray) -> bool:
    """Whether images are drawings on black, which are shown, and print, as ink.

    Args:
        pixels: uint8 [n, height, width, channels].
    """
    return pixels.shape[-1] == 1 and len(pixels) > 0 and bool(np.median(pixels) < DARK)


def strip(pixels: np.ndarray, *, inverted: bool) -> str:
    """Returns images side by side as the address of a picture, which holds it all.

    Args:
        pixels: uint8 [n, height, width, channels], at least one; one channel is grey, three are colours, and of any
            other number the first is shown.
        inverted: Show dark as bright.
    """
    frames = [_fitted(image) for image in pixels]
    width, height = frames[0].size
    sheet = Image.new(frames[0].mode, (len(frames) * (width + GAP) - GAP, height))
    for number, frame in enumerate(frames):
        sheet.paste(frame, (number * (width + GAP), 0))
    if inverted:
        sheet = Image.eval(sheet, lambda value: 255 - value)
    return _address(_with_gaps(sheet, len(frames), width))


def _fitted(image: np.ndarray) -> Image.Image:
    shown = Image.fromarray(np.ascontiguousarray(image if image.shape[-1] == 3 else image[..., 0]))
    longer = max(shown.size)
    if longer <= LARGEST:
        return shown
    width, height = (max(round(side * LARGEST / longer), 1) for side in shown.size)
    return shown.resize((width, height), Image.Resampling.BOX)


def _with_gaps(sheet: Image.Image, count: int, width: int) -> Image.Image:
    """Makes what is between the images transparent."""
    mask = Image.new("L", sheet.size, 255)
    for number in range(1, count):
        mask.paste(0, (number * (width + GAP) - GAP, 0, number * (width + GAP), sheet.height))
    sheet.putalpha(mask)
    return sheet


def _address(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
