"""One picture's bytes → pixels: decoded without trust, upright, over white, in the size that all shall have."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_models.sources.limits import MOST_FILE_BYTES, MOST_PIXELS
from mnist_models.sources.source import ImageShape

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
GREY_MODES = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"}
SIXTEEN_BITS = 257  # 65535 / 255
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: these swap height and width
PNG = b"\x89PNG\r\n\x1a\n"
KEPT_SIDE = 128  # pictures that are all of one size keep it up to here
CHOSEN_SIDE = 64  # at most, where we choose


class BadPictureError(Exception):
    """A picture that cannot be used; the message says why."""


@dataclass(frozen=True)
class Look:
    """What a picture's header says: its size as it is seen, and whether it has colours."""

    height: int
    width: int
    colour: bool


class Looks:
    """What pictures are like, all of them.

    Attributes:
        sizes: How many there are of each height and width.
        colour: Whether one has colours.
    """

    def __init__(self, looks: Iterable[Look] = ()) -> None:
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.colour = False
        for look in looks:
            self.add(look)

    def add(self, look: Look) -> None:
        """Counts one more."""
        self.sizes[look.height, look.width] += 1
        self.colour |= look.colour


def look_at(data: bytes) -> Look:
    """Reads a picture's header.

    Raises:
        BadPictureError: If it is none, is animated, or is too large.
    """
    try:
        with _open(data) as picture:
            width, height = picture.size
            if picture.format != "PNG" and picture.getexif().get(ORIENTATION) in TURNED:
                width, height = height, width
            return Look(height, width, _has_colours(picture))
    except BadPictureError:
        raise
    except Exception as error:  # decoders raise whatever a damaged header leads them to
        raise BadPictureError(f"its header cannot be read: {error}") from error


def decode(data: bytes, shape: ImageShape) -> np.ndarray:
    """Decodes a picture.

    Args:
        data: The file's bytes.
        shape: Height, width and channels to bring it to; resized in proportion, and padded with its border's colour.

    Returns:
        uint8 [height, width, channels].

    Raises:
        BadPictureError: If it cannot be decoded whole.
    """
    try:
        with _open(data) as picture:
            upright = picture if picture.format == "PNG" and "exif" not in picture.info else _turned(picture)
            return fit(_plain(upright, shape[2]), shape)
    except BadPictureError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise BadPictureError(f"it cannot be decoded: {error}") from error


def common_shape(looks: Looks, image_size: int | None) -> ImageShape:
    """Returns the shape that pictures are brought to.

    Args:
        looks: At one picture at least.
        image_size: Height and width, if the user says so. Else pictures of one size keep it, and of several they get
            the median of their longer sides, at most 64.
    """
    channels = 3 if looks.colour else 1
    height, width = next(iter(looks.sizes))
    if image_size is None and len(looks.sizes) == 1 and max(height, width) <= KEPT_SIDE:
        return height, width, channels
    median = int(np.median(np.repeat([max(size) for size in looks.sizes], list(looks.sizes.values()))))
    side = image_size or min(median, CHOSEN_SIDE)
    return side, side, channels


def _open(data: bytes) -> Image.Image:
    if len(data) > MOST_FILE_BYTES:
        raise BadPictureError(f"its file has {len(data):,} bytes, more than {MOST_FILE_BYTES:,}")
    if data.startswith(PNG):
        _check_png(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise BadPictureError(f"it has more than {MOST_PIXELS:,} pixels") from error
        except UnidentifiedImageError as error:
            raise BadPictureError(f"it is no picture, or none of {', '.join(FORMATS)}") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise BadPictureError(f"it has {width} x {height} pixels, more than {MOST_PIXELS:,}")
    if getattr(picture, "n_frames", 1) > 1:
        raise BadPictureError("it is animated")
    return picture


def _check_png(data: bytes) -> None:
    """Pillow reads no further than it needs to and may miss the damage; every chunk has a checksum."""
    place, kind = len(PNG), b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise BadPictureError("it is cut short")
        (length,) = struct.unpack_from(">I", data, place)
        kind = data[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise BadPictureError(f"its chunk {kind!r} is damaged")
        place = end + 4


def _has_colours(picture: Image.Image) -> bool:
    if picture.mode != "P":
        return picture.mode not in GREY_MODES
    palette = np.array(picture.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((palette != palette[:, :1]).any())


def _turned(picture: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(picture)


def _plain(picture: Image.Image, channels: int) -> Image.Image:
    """The picture as grey or RGB, over white where it lets something through, in eight bits."""
    wanted = "L" if channels == 1 else "RGB"
    if picture.mode == wanted and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert(wanted) if picture.mode != wanted else picture


def _eight_bits(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise BadPictureError("it has pixels that are no numbers")
    scale = SIXTEEN_BITS if pixels.size and pixels.max() > 255 or picture.mode.startswith("I;16") else 1
    return Image.fromarray(np.clip(np.round(pixels / scale), 0, 255).astype(np.uint8))


def fit(picture: Image.Image, shape: ImageShape) -> np.ndarray:
    """Brings a picture to a size, whole: resized in proportion, and padded with its border's colour.

    Args:
        picture: Grey ("L") or "RGB", as the shape has one channel or three.
        shape: Height, width and channels.

    Returns:
        uint8 [height, width, channels].
    """
    height, width, channels = shape
    if picture.size == (width, height):
        return np.asarray(picture).reshape(shape)
    factor = min(width / picture.width, height / picture.height)
    size = (max(round(picture.width * factor), 1), max(round(picture.height * factor), 1))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC))
    small = small.reshape(size[1], size[0], channels)
    padded = np.empty(shape, np.uint8)
    padded[:] = _border(small)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    padded[top : top + size[1], left : left + size[0]] = small
    return padded


def _border(pixels: np.ndarray) -> np.ndarray:
    """The median colour of the outermost pixels: what pads a picture as if it went on."""
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    median: np.ndarray = np.median(np.concatenate(edges), axis=0)
    return median.astype(np.uint8)
