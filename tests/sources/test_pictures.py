"""Pictures as people have them: many kinds, many sizes, some of them broken."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.sources.decoding import BadPictureError, Look, Looks, common_shape, decode, look_at
from mnist_models.sources.detect import open_source
from mnist_models.sources.limits import MOST_PIXELS
from mnist_models.sources.source import DataError, Options

RAMP = np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(path: Path, image: np.ndarray | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path)
    return path


def palette() -> Image.Image:
    image = Image.fromarray((RAMP // 16).astype(np.uint8), "P")
    image.putpalette([value for level in range(16) for value in (16 * level, 0, 0)])
    return image


def see_through() -> Image.Image:
    return Image.merge("LA", (Image.fromarray(RAMP), Image.fromarray(np.full((4, 4), 0, np.uint8))))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    return encoded(Image.fromarray(np.zeros((4, 8), np.uint8)), "JPEG", exif=exif)


KINDS: dict[str, tuple[bytes, Look, np.ndarray]] = {
    "grey": (encoded(Image.fromarray(RAMP)), Look(4, 4, False), RAMP),
    "one bit": (encoded(Image.fromarray(RAMP > 100)), Look(4, 4, False), np.where(RAMP > 100, 255, 0)),
    "16 bits": (encoded(Image.fromarray(RAMP.astype(np.uint16) * 257)), Look(4, 4, False), RAMP),
    "alpha over white": (encoded(see_through()), Look(4, 4, False), np.full((4, 4), 255)),
    "palette": (encoded(palette()), Look(4, 4, True), np.stack([RAMP, 0 * RAMP, 0 * RAMP], 2)),
    "gif": (encoded(palette(), "GIF"), Look(4, 4, True), np.stack([RAMP, 0 * RAMP, 0 * RAMP], 2)),
    "bmp": (encoded(Image.fromarray(RAMP), "BMP"), Look(4, 4, False), RAMP),
    "tiff": (encoded(Image.fromarray(RAMP), "TIFF"), Look(4, 4, False), RAMP),
    "webp": (
        encoded(Image.fromarray(np.stack([RAMP] * 3, 2)), "WEBP", lossless=True),
        Look(4, 4, True),
        np.stack([RAMP] * 3, 2),
    ),
    "turned": (turned(), Look(8, 4, False), np.zeros((8, 4))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_picture_is_read(kind: str) -> None:
    data, look, pixels = KINDS[kind]
    assert look_at(data) == look
    shape = (*pixels.shape, 1)[:3]
    assert np.array_equal(decode(data, shape), pixels.reshape(shape))


def test_pictures_of_many_sizes_are_padded_and_not_stretched() -> None:
    assert common_shape(Looks([Look(30, 20, False), Look(50, 10, False), Look(20, 40, True)]), None) == (40, 40, 3)
    assert common_shape(Looks([Look(300, 200, False)] * 2), None) == (64, 64, 1)
    assert common_shape(Looks([Look(30, 20, False)]), 16) == (16, 16, 1)
    wide = np.full((10, 40), 200, np.uint8)
    wide[4:8, 10:30] = 0
    seen = decode(encoded(Image.fromarray(wide)), (20, 20, 1))[..., 0]
    assert (seen[:7] == 200).all()  # the border's colour goes on
    assert (seen[9:11, 5:15] == 0).all()
    assert (seen == 0).sum() == 10 * 2


def folder_of(path: Path, count: int = 8, draw: Callable[[int], np.ndarray] | None = None) -> Path:
    generator = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for number in range(count):
            image = draw(number) if draw else generator.integers(0, 256, (6, 5), dtype=np.uint8)
            saved(path / label / f"{label}{number:02d}.png", image)
    return path


def ingest(path: Path, store: Path, images: int | None = None, **options: Any) -> DatasetReference:
    return preprocess(Store(store), data=path, images=images, seed=1, key="dataset", options=Options(**options))


def test_a_folder_for_each_class_is_split_by_us(tmp_path: Path) -> None:
    record = ingest(folder_of(tmp_path / "data", 36), tmp_path)
    assert (record.test, record.validation, record.train) == (12, 10, 50)
    assert record.class_names == ("cat", "dog")
    assert record.image_shape == (6, 5, 1)


def test_groups_are_never_on_both_sides(tmp_path: Path) -> None:
    """The first pixel tells the writer."""
    folder = tmp_path / "data"
    for label in ("a", "b"):
        for number in range(60):
            image = np.full((4, 4), number, np.uint8)
            image[0, 0] = number // 4
            saved(folder / label / f"writer{number // 4}_{number}.png", image)
    record = ingest(folder, tmp_path, group_pattern=r"writer(\d+)_")
    splits = (read_split(Store(tmp_path), record, split) for split in ("train", "validation", "test"))
    writers = [set(split.x[:, 0, 0, 0]) for split in splits]
    assert all(writers)
    assert not writers[0] & writers[1]
    assert not (writers[0] | writers[1]) & writers[2]


def test_a_group_in_two_given_parts_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path / "data" / "train")
    folder_of(tmp_path / "data" / "test")
    with pytest.raises(DataError, match="expected each group in one of the parts only. Received: 8 groups in both"):
        ingest(tmp_path / "data", tmp_path, group_pattern=r"\d+")


def test_a_name_without_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a name that --group-pattern 'w' matches. Received: cat00.png"):
        ingest(folder_of(tmp_path / "data"), tmp_path, group_pattern="w")


def test_bad_pictures_are_named_and_left_out_as_far_as_allowed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "data", 24)
    (folder / "cat" / "broken.png").write_bytes(KINDS["grey"][0][:-8])
    (folder / "dog" / "text.jpg").write_text("not a picture")
    frames = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    frames[0].save(folder / "dog" / "moving.gif", save_all=True, append_images=frames[1:])
    expected = "--bad-images 3 to leave out .*cat/broken.png: it is cut short; dog/moving.gif: it is animated; dog/text"
    for allowed in (0, 2):
        with pytest.raises(DataError, match=expected):
            ingest(folder, tmp_path, bad_images=allowed)
    record = ingest(folder, tmp_path, bad_images=3)
    assert [name.split(":")[0] for name in record.left_out] == ["cat/broken.png", "dog/moving.gif", "dog/text.jpg"]
    (folder / "cat" / "broken.png").unlink()
    (folder / "dog" / "text.jpg").unlink()
    (folder / "dog" / "moving.gif").unlink()
    assert ingest(folder, tmp_path).fingerprint == record.fingerprint


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has side x side pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [int(MOST_PIXELS**0.5) + 1, 10_000, 100_000, 2**31 - 1])
def test_decompression_bombs_are_refused(side: int) -> None:
    with pytest.raises(BadPictureError, match=r"pixels, more than|more than .* pixels"):
        look_at(bomb(side))


def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    folder, secret = folder_of(tmp_path / "data"), saved(tmp_path / "secret.png", RAMP)
    (folder / "cat" / "link.png").symlink_to(secret)
    with pytest.raises(DataError, match=r"link\.png: expected a file in .*data\. Received: a link to .*secret\.png"):
        ingest(folder, tmp_path)
    (folder / "cat" / "link.png").unlink()
    (folder / "cat" / "inner.png").symlink_to("cat00.png")
    assert ingest(folder, tmp_path).train > 0
    (folder / "bird").symlink_to(tmp_path)
    with pytest.raises(DataError, match="bird: expected a folder. Received: a link"):
        ingest(folder, tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "data")
    os.mkfifo(folder / "cat" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png: expected a file. Received: something else"):
        ingest(folder, tmp_path)


BAD_FOLDERS: dict[str, tuple[list[str], str]] = {
    "empty": ([], "expected pictures in folders train/<class>, or <class>. Received: none"),
    "no classes": (["a.png"], "expected pictures in a folder for each class. Received: one outside of any"),
    "strays": (["train/a/1.png", "extra/b/1.png"], "expected the folders train, test and validation. Received: extra"),
    "half labelled": (
        ["train/a/1.png", "test/a/1.png", "test/1.png"],
        "all pictures of test in folders of",
    ),
    "one class": ([f"a/{number}.png" for number in range(9)], "expected 2 to 10,000 classes.*Received: 1 classes"),
    "few": (
        [*(f"a/{number}.png" for number in range(9)), "b/1.png"],
        "at least 6 training images each. Received: 2 classes, class b with 1",
    ),
    "another class to test": (
        [f"train/{label}/{number}.png" for label in "ab" for number in range(9)] + ["test/c/1.png"],
        r"expected test labels out of those of the training images \(a, b\). Received: c",
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders_are_refused(tmp_path: Path, case: str) -> None:
    names, message = BAD_FOLDERS[case]
    (tmp_path / "data").mkdir()
    for name in names:
        saved(tmp_path / "data" / name, RAMP)
    with pytest.raises(DataError, match=message):
        ingest(tmp_path / "data", tmp_path)


def test_pictures_without_labels_are_kept_for_prediction(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder_of(folder / "train", 36)
    for number in range(4):
        saved(folder / "test" / f"{number}.png", np.full((6, 5), 10 * number, np.uint8))
    record = ingest(folder, tmp_path)
    assert (record.test, record.unlabelled) == (12, 4)
    assert read_split(Store(tmp_path), record, "unlabelled").x[:, 0, 0, 0].tolist() == [0, 10, 20, 30]


def test_the_size_that_is_asked_for_is_what_comes(tmp_path: Path) -> None:
    assert open_source(folder_of(tmp_path / "data"), Options(image_size=12)).shape == (12, 12, 1)
