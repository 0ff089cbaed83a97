"""Pen on paper, found in a picture: grey, bright on dark, without the paper's shades.

What is paper and what is pen is judged by the picture itself: paper is what most of the border shows, and what lies
around each place; pen is what differs from it by more than a threshold between both (Otsu 1979).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

WORKING_SIDE = 256  # pixels of the longer side that ink is looked for in; more shows paper's grain, not strokes
PARTS_SIDE = 64  # pixels of the longer side in which connected parts are told apart
FLAT = 12  # grey levels: less contrast than this is paper
SHADE_REACH = 6  # the paper's shade is what is darkest within this part of the longer side
QUIET = 0.35  # of the threshold: what is fainter than this is grain
STROKE_SHARE = 0.1  # of the largest part's area: what lies apart and is smaller is dust
EDGE_SHARE = 0.3  # of the shorter side: what runs along the border for so long is the edge of something
LEVELS = 64  # of grey, between which a threshold is looked for
THIN, THICK = 2.0, 4.0  # pixels of a stroke once the ink fills the box; MNIST's are 2 to 5

Pixels = np.ndarray  # of ink: float32 [height, width] in [0, 1], 0 where there is paper


def find_ink(pixels: np.ndarray) -> Pixels:
    """Returns the ink of a picture; all 0 where nothing is drawn.

    Args:
        pixels: uint8 [height, width] or [height, width, 3].
    """
    grey = _grey(pixels)
    ink = _without_shades(grey if _is_dark(grey) else 255 - grey)
    drawn = ink[ink > FLAT]
    if not drawn.size:
        return np.zeros(ink.shape, np.float32)
    ink = np.minimum(ink / np.percentile(drawn, 90), 1).astype(np.float32)
    quiet = QUIET * otsu(ink)
    return _without_dust(np.clip((ink - quiet) / (1 - quiet), 0, 1))


def crop(ink: Pixels) -> Pixels:
    """Cuts away all rows and columns without ink around it; all where there is none."""
    drawn = ink >= otsu(ink) if ink.any() else np.zeros(ink.shape, bool)
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink[:0, :0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def even_strokes(ink: Pixels, box: int) -> Pixels:
    """Widens strokes that would be too thin to see once the ink's longer side is `box` pixels, and narrows fat ones."""
    scale = max(ink.shape) / box
    width = stroke_width(ink)
    reach = round((min(max(width, THIN * scale), THICK * scale) - width) / 2)
    if not reach:
        return ink
    kind = ImageFilter.MaxFilter if reach > 0 else ImageFilter.MinFilter
    changed = as_ink(as_image(np.pad(ink, max(reach, 1))).filter(kind(2 * abs(reach) + 1)))
    return crop(changed) if (changed >= 0.5).any() else ink


def stroke_width(ink: Pixels) -> float:
    """Returns the mean width of the strokes in pixels: twice their area by their outline; 0 without ink."""
    drawn = np.pad(ink >= 0.5, 1)
    inner = drawn[:-2, 1:-1] & drawn[2:, 1:-1] & drawn[1:-1, :-2] & drawn[1:-1, 2:] & drawn[1:-1, 1:-1]
    area = int(drawn.sum())
    return 2 * area / max(area - int(inner.sum()), 1)


def otsu(ink: Pixels) -> float:
    """Returns the threshold that parts two kinds of grey best (Otsu 1979)."""
    counts = np.bincount(np.minimum((ink.ravel() * LEVELS).astype(np.uint8), LEVELS - 1), minlength=LEVELS)
    sums = np.cumsum(counts * (np.arange(LEVELS) + 0.5) / LEVELS)
    below = np.cumsum(counts)
    above = below[-1] - below
    apart = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    return (1 + int((below * above * apart**2)[:-1].argmax())) / LEVELS


def as_image(ink: Pixels) -> Image.Image:
    """Ink as an 8-bit picture."""
    return Image.fromarray((ink * 255 + 0.5).astype(np.uint8))


def as_ink(image: Image.Image) -> Pixels:
    """An 8-bit picture as ink."""
    return np.asarray(image, np.float32) / np.float32(255)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Brings a picture to grey, int16, and to the size that ink is looked for in."""
    image = Image.fromarray(pixels).convert("L")
    if max(image.size) > WORKING_SIDE:
        image = image.resize(_size(image, WORKING_SIDE), Image.Resampling.BOX)
    return np.asarray(image).astype(np.int16)


def _size(image: Image.Image, longer: int) -> tuple[int, int]:
    """A picture's width and height once its longer side is so long."""
    scale = longer / max(image.size)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _border(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _is_dark(grey: np.ndarray) -> bool:
    """Whether the ground is the darker of both: the border shows it."""
    return bool(2 * np.median(_border(grey)) < int(grey.min()) + int(grey.max()))


def _without_shades(bright: np.ndarray) -> np.ndarray:
    """Takes the paper's own shades from bright ink: what is darkest around each place, smoothed."""
    height, width = bright.shape
    image = Image.fromarray(bright.astype(np.uint8))
    small = image.resize(_size(image, min(PARTS_SIDE, max(height, width))), Image.Resampling.BOX)
    reach = max(small.size) // SHADE_REACH // 2
    darkest = _widely(ImageFilter.MaxFilter(3), _widely(ImageFilter.MinFilter(3), small, reach), reach)
    shade = darkest.filter(ImageFilter.GaussianBlur(reach + 0.5)).resize((width, height), Image.Resampling.BILINEAR)
    flat: np.ndarray = np.maximum(bright - np.asarray(shade).astype(np.int16), 0)
    return flat


def _widely(near: ImageFilter.RankFilter, image: Image.Image, reach: int) -> Image.Image:
    """The same as one wide filter, in a fifth of its time: the darkest, or brightest, within so many pixels."""
    for _ in range(reach):
        image = image.filter(near)
    return image


def _without_dust(ink: Pixels) -> Pixels:
    """Takes away what lies apart from the strokes and is no stroke: dust, and the edge of the paper."""
    image = as_image(ink)
    small = image.resize(_size(image, min(PARTS_SIDE, max(ink.shape))), Image.Resampling.BOX)
    parts = _parts(as_ink(small) >= otsu(ink) / 2)
    numbers, areas = np.unique(parts[parts > 0], return_counts=True)
    edges = np.array([(_border(parts) == number).sum() for number in numbers]) >= EDGE_SHARE * min(parts.shape)
    if edges.all():
        edges[:] = False
    strokes = ~edges & (areas >= STROKE_SHARE * areas[~edges].max(initial=0))
    if strokes.all():
        return ink
    kept = Image.fromarray(np.isin(parts, numbers[strokes])).convert("L").filter(ImageFilter.MaxFilter(3))
    cleaned: np.ndarray = ink * as_ink(kept.resize(image.size, Image.Resampling.BILINEAR))
    return cleaned


def _parts(drawn: np.ndarray) -> np.ndarray:
    """Numbers the connected parts of bool [height, width]: int32, 0 where nothing is drawn.

    Each pixel takes the highest number around it, then the one which that number's first pixel has, until none changes.
    """
    inside = np.pad(drawn.astype(np.int32), 1)
    parts: np.ndarray = np.arange(inside.size, dtype=np.int32).reshape(inside.shape) * inside
    while True:
        highest = parts.copy()
        highest[1:-1] = np.maximum(np.maximum(parts[:-2], parts[1:-1]), parts[2:])
        highest[:, 1:-1] = np.maximum(np.maximum(highest[:, :-2], highest[:, 1:-1]), highest[:, 2:])
        highest *= inside
        followed: np.ndarray = highest.ravel()[highest]  # 0 is its own: it is outside
        if np.array_equal(followed, parts):
            return parts[1:-1, 1:-1]
        parts = followed
