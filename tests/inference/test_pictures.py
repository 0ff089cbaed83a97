"""Pictures of every kind become the same pixels; what is no picture is named, and refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_models.inference.pictures import PictureError, check_array, decode, encode, read_pictures

GREY = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
IMAGE = Image.fromarray(GREY)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_every_format_without_loss_gives_the_same_pixels(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    pixels = decode(saved(IMAGE, form, **options), "x")
    assert np.abs(pixels.astype(int).reshape(12, 20, -1) - GREY[..., None]).max() <= 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_modes() -> None:
    assert (decode(saved(IMAGE.convert("RGB")), "x") == GREY[..., None]).all()
    assert (decode(saved(IMAGE.convert("1")), "x") % 255 == 0).all()
    assert (decode(saved(Image.fromarray(GREY.astype(np.uint16) * 257)), "x") == GREY).all()
    assert decode(saved(IMAGE.convert("CMYK"), "JPEG"), "x").shape == (12, 20, 3)
    assert decode(saved(IMAGE.convert("P")), "x").shape == (12, 20, 3)


def test_transparent_ink_shows_on_the_ground_that_it_differs_from() -> None:
    for level in (0, 255):
        pixels = np.zeros((8, 8, 4), np.uint8)
        pixels[..., :3] = level
        pixels[2:6, 2:6, 3] = 255
        shown = decode(saved(Image.fromarray(pixels)), "x")
        assert (shown[3, 3] == level).all()
        assert (shown[0, 0] == 255 - level).all()


def test_a_photograph_is_turned_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert decode(saved(IMAGE, "JPEG", exif=exif.tobytes()), "x").shape[:2] == (20, 12)


def test_a_camera_s_jpeg_is_shrunk_while_it_is_unpacked() -> None:
    large = decode(saved(IMAGE.resize((4800, 3600)), "JPEG"), "x", most_pixels=5_000_000)
    assert large.shape == (1800, 2400)


def test_what_was_encoded_comes_back() -> None:
    assert (decode(encode(GREY[..., None]), "x") == GREY).all()


def test_a_folder_is_read_by_name_and_arrays_by_number(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        IMAGE.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    np.save(tmp_path / "two.npy", np.stack([GREY, GREY]))
    np.savez(tmp_path / "set.npz", x_test=GREY[None, ..., None], y_test=[3])
    names = [
        picture.name
        for picture in read_pictures([tmp_path / "b.png", tmp_path, tmp_path / "two.npy", tmp_path / "set.npz"])
    ]
    folder = [str(tmp_path / name) for name in ("b.png", "a.jpg", "b.png", "sub/c.png")]
    assert names == [*folder, *(f"{tmp_path}/{name}" for name in ("two.npy[0]", "two.npy[1]", "set.npz[0]"))]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.png", None, "expected a file to read.*No such file"),
        ("x.png", b"", "expected a picture"),
        ("x.png", b"hello", "expected a picture"),
        ("x.txt", b"hello", "expected a picture"),
        ("x.png", saved(IMAGE)[:50], "x.png"),
        ("x.jpg", saved(IMAGE, "JPEG")[:-200], "damaged"),
        ("x.npy", b"hello", "expected an array"),
        ("x.npz", b"hello", "expected an array"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=said) as raised:
        list(read_pictures([tmp_path / name]))
    assert name in str(raised.value)


def test_a_folder_without_pictures_and_a_pickle_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    for path, said in ((tmp_path, "expected a folder with pictures"), (tmp_path / "objects.npy", "objects.npy")):
        with pytest.raises(PictureError, match=said):
            list(read_pictures([path]))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    with pytest.raises(PictureError, match="at most 50,000,000 pixels"):
        decode(b"\x89PNG\r\n\x1a\n" + b"".join(packed), "bomb.png")


@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]),
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_picture_is_refused_or_read(form: str, place: int, byte: int, cut: bool) -> None:
    data = bytearray(saved(IMAGE, form))
    place %= len(data)
    data[place] = byte
    try:
        pixels = decode(bytes(data[:place] if cut else data), "x", most_pixels=1_000_000)
    except PictureError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim in (2, 3)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2)), np.zeros((1, 2, 2, 2), np.uint8), np.zeros(3, np.uint8), np.zeros((0, 2, 2), np.uint8)]
)
def test_arrays_that_are_no_images_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PictureError):
        check_array(array, "x")
