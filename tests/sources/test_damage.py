"""Files cut or changed at random places: a clear error or a right result, never a crash, never a hang."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_models.data.dataset import read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.sources.decoding import BadPictureError, decode, look_at
from mnist_models.sources.source import DataError
from tests.sources.forms import Images, png, write_arrays, write_csv, write_idx, write_lists, write_parquet

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (16, 5, 4, 1), dtype=np.uint8)
LABELS = [str(number % 2) for number in range(16)]
DATA = Images({"train": (IMAGES[:12], LABELS[:12]), "test": (IMAGES[12:], LABELS[12:])})
FORMS: dict[str, tuple[Callable[[Images, Path], Path], str, int]] = {
    "idx images": (write_idx, "train-images-idx3-ubyte", 150),
    "idx labels": (write_idx, "train-labels-idx1-ubyte", 40),
    "packed idx": (lambda data, path: write_idx(data, path, packed=True), "train-images-idx3-ubyte.gz", 60),
    "arrays": (write_arrays, "", 100),
    "csv": (write_csv, "train.csv", 50),
    "pictures in parquet": (write_parquet, "train-00000-of-00002.parquet", 150),
    "lists in parquet": (write_lists, "train.parquet", 150),
}
PNG_PLACES = 300


def damaged(content: bytes, generator: np.random.Generator) -> bytes:
    """The content, cut or with one byte changed; headers are struck more often than their share."""
    ends = [len(content), min(64, len(content))]
    place = int(generator.integers(ends[int(generator.integers(2))]))
    if generator.random() < 0.3:
        return content[:place]
    changed = bytearray(content)
    changed[place] ^= 1 << int(generator.integers(8))
    return bytes(changed)


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_give_an_error_or_a_data_set(tmp_path: Path, form: str) -> None:
    write, name, places = FORMS[form]
    path = write(DATA, tmp_path / "data")
    file = path / name if name else path
    content, generator, refused = file.read_bytes(), np.random.default_rng(1), 0
    store = Store(tmp_path / "store")
    for _ in range(places):
        file.write_bytes(damaged(content, generator))
        try:
            record = preprocess(store, data=path, images=None, seed=1, key="dataset-damaged")
        except DataError as error:
            refused += 1
            assert str(error).startswith(str(path)) or path.parent.name in str(error)
            assert "xpected" in str(error)
            assert "Received" in str(error)
        else:
            train = read_split(store, record, "train+validation")
            assert len(train) == record.train + record.validation
            assert train.y.max() < len(record.class_names)
    assert refused > places / 10


def test_a_damaged_png_is_refused_or_right() -> None:
    """Every chunk of a PNG has a checksum, so what is not refused has the right pixels."""
    image, generator, refused = IMAGES[0], np.random.default_rng(2), 0
    content = png(image)
    for _ in range(PNG_PLACES):
        broken = damaged(content, generator)
        try:
            look_at(broken)
            assert np.array_equal(decode(broken, image.shape), image)  # type: ignore[arg-type]
        except BadPictureError:
            refused += 1
    assert refused > 0.9 * PNG_PLACES
