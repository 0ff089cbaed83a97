"""Pictures as people have them: files, folders, arrays and data sets, read without trust into pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_models.sources.detect import find_images, holds_images, read_images
from mnist_models.sources.source import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
ARRAYS = (".npy", ".npz")
MOST_PIXELS = 50_000_000  # of one picture: a camera's are fewer
SHRUNK = 1_024  # pixels that the shorter side of a JPEG keeps at least, by halves, where it has as many
WIDE = 257  # 16-bit levels to one of 8 bits
FLAT = 4  # grey levels between the darkest and the brightest pixel of a picture that shows nothing


class PictureError(ValueError):
    """A picture that cannot be used; the message names it, what was expected and what came."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: Its file, or file and number: `digits.npy[3]`.
        pixels: uint8 [height, width] or [height, width, 3].
    """

    name: str
    pixels: np.ndarray


def read_pictures(paths: list[Path]) -> Iterator[Picture]:
    """Yields every picture of files, folders, arrays and data sets, in the order given; a folder's by name.

    Raises:
        PictureError: If there is no such file, a folder has no picture, or one cannot be read.
    """
    try:
        for path in paths:
            yield from _read(path)
    except DataError as error:
        raise PictureError(str(error)) from error


def decode(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Decodes a picture, turned as its EXIF says, transparency over the ground that shows most.

    Args:
        data: A PNG, JPEG, WebP, GIF (its first frame), BMP or TIFF.
        name: For the message.
        most_pixels: Larger ones are refused before they are unpacked.

    Returns:
        uint8 [height, width] or [height, width, 3].

    Raises:
        PictureError: If it is none of these, damaged, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's about sizes; ours is the smaller limit
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                image.draft(image.mode, (SHRUNK, SHRUNK))  # of JPEGs alone: a camera's takes a tenth of time and memory
                if image.width * image.height > most_pixels:
                    raise PictureError(
                        f"{name}: expected at most {most_pixels:,} pixels. Received: {image.width} x {image.height}."
                    )
                return to_pixels(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: expected at most {most_pixels:,} pixels. Received: many times as many.") from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{name}: expected a picture ({', '.join(FORMATS)}). Received: {len(data):,} bytes of something else."
        ) from None
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, ArithmeticError, LookupError, TypeError) as error:
        # what Pillow's decoders raise on damaged files
        raise PictureError(f"{name}: expected a sound picture. Received: a damaged one ({error}).") from error


def to_pixels(image: Image.Image) -> np.ndarray:
    """Returns a picture of any mode as uint8 [height, width] or [height, width, 3]."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits or more
        wide = np.asarray(image, np.float64)
        return (wide / (WIDE if wide.max() > 255 else 1)).clip(0, 255).astype(np.uint8)
    if "A" in image.getbands() or "transparency" in image.info:
        return _over_ground(image.convert("RGBA"))
    return np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def check_array(array: np.ndarray, name: str) -> np.ndarray:
    """Returns images uint8 [n, height, width] or [n, height, width, 3] of an array of one or many.

    Raises:
        PictureError: If it is of another dtype or shape.
    """
    shape = array.shape
    if array.dtype != np.uint8 or 0 in shape:
        raise PictureError(f"{name}: expected pixels of dtype uint8, at least one. Received: {array.dtype} {shape}.")
    if array.ndim == 4 and shape[3] == 1:
        return array[..., 0]
    if array.ndim == 4 and shape[3] == 3 or array.ndim == 3 and shape[2] != 3:
        return array
    if array.ndim in (2, 3):
        return array[None]
    expected = "an array (height, width), (n, height, width) or (n, height, width, 1 or 3)"
    raise PictureError(f"{name}: expected {expected}. Received: {shape}.")


def _read(path: Path) -> Iterator[Picture]:
    if path.is_dir():
        yield from _read_folder(path)
    elif path.suffix.lower() in ARRAYS:
        yield from _read_array(path)
    elif holds_images(path):
        yield from _read_data(path)
    else:
        yield Picture(str(path), decode(_read_bytes(path), str(path)))


def _read_folder(folder: Path) -> Iterator[Picture]:
    """A folder's pictures; where it has none, the images of the data set in it."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    paths = paths or find_images(folder)
    if not paths:
        raise PictureError(
            f"{folder}: expected a folder with pictures ({', '.join(SUFFIXES)}), or with IDX, CSV or Parquet. "
            "Received: none in it."
        )
    for path in paths:
        yield from _read(path)


def _read_data(path: Path) -> Iterator[Picture]:
    """Images in a form of `--data`: pixels as they are stored, and pictures as those in files."""
    number = -1
    for number, image in enumerate(read_images(path)):
        name = f"{path}[{number}]"
        yield Picture(name, decode(image, name) if isinstance(image, bytes) else check_array(image[None], name)[0])
    if number < 0:
        raise PictureError(f"{path}: expected at least one image. Received: none.")


def _read_array(path: Path) -> Iterator[Picture]:
    _read_bytes(path, most=1)
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        array = content if isinstance(content, np.ndarray) else content[_member(path, list(content.files))]
    except (ValueError, OSError, EOFError) as error:
        raise PictureError(f"{path}: expected an array that NumPy reads without pickle. Received: {error}.") from error
    for number, pixels in enumerate(check_array(array, str(path))):
        yield Picture(f"{path}[{number}]", pixels)


def _member(path: Path, names: list[str]) -> str:
    """The images of an .npz: those of the test set where it has the form of `--data`, else its only array."""
    for name in ("x_test", "test_images", "x"):
        if name in names:
            return name
    if len(names) != 1:
        raise PictureError(f"{path}: expected an array x, or x_test, or one only. Received: {', '.join(names) or '-'}.")
    return names[0]


def _read_bytes(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise PictureError(f"{path}: expected a file to read. Received: {error.strerror or error}.") from error


def _over_ground(image: Image.Image) -> np.ndarray:
    """Puts a transparent picture on white paper; what is white itself, on black."""
    for ground in ("white", "black"):
        paper = Image.new("RGBA", image.size, ground)
        pixels = np.array(Image.alpha_composite(paper, image).convert("RGB"))
        if int(pixels.max()) - int(pixels.min()) > FLAT:
            break
    return pixels


def encode(image: np.ndarray) -> bytes:
    """Returns uint8 [height, width, 1 or 3] as PNG."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return file.getvalue()
