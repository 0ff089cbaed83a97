"""The data page: one file that needs no other, whatever the data."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_models.data.dataset import DatasetReference, FileNames, OriginalSizes, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.data_page.labels import LabelCheck, all_suspects, labels_csv
from mnist_models.data_page.page import data_page, data_sections
from mnist_models.data_page.pictures import GAP, LARGEST, ink_on_paper, strip
from mnist_models.foundation.store import Store
from mnist_models.inspection.inspection import inspect_dataset
from mnist_models.inspection.selection import drop_leaks
from mnist_models.judging.confident_learning import Suspect
from tests.report.test_report import Page

HOSTILE = '<script>alert("1")</script>'


def suspect(index: int, score: float = -0.5, split: str = "train") -> Suspect:
    values = {"split": split, "index": index, "given": 0, "suggested": 1, "score": score, "wrong": score < -0.4}
    return Suspect.model_validate(values)


def pixels_of(address: str) -> np.ndarray:
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def write(folder: Path, store: Store, dataset: DatasetReference, labels: tuple[LabelCheck, ...] = ()) -> Page:
    inspection = inspect_dataset(dataset, store.root, key="inspection")
    path = folder / "data.html"
    path.write_bytes(data_page(dataset, data_sections(store, dataset, inspection, labels)))
    return Page(path)


def dirty(folder: Path, classes: int, image_shape: tuple[int, ...]) -> tuple[Store, DatasetReference]:
    """A data set with a leak, with names that are no names."""
    generator = np.random.default_rng(0)
    labels = np.arange(12 * classes) % classes
    pixels = generator.integers(0, 256, (len(labels), *image_shape), dtype=np.uint8)
    test = np.concatenate([pixels[:3], pixels[-classes:] ^ 255])
    test_labels = np.r_[labels[:3], labels[-classes:]]
    np.savez(folder / "dirty.npz", x_train=pixels, y_train=labels, x_test=test, y_test=test_labels)
    store = Store(folder / "store")
    dataset = preprocess(store, data=folder / "dirty.npz", images=None, seed=1, key="dirty")
    names = tuple(f"{HOSTILE} {label}" for label in range(classes))
    return store, DatasetReference(**{**dict(dataset), "seal": "", "class_names": names})


@pytest.mark.parametrize(("classes", "image_shape"), [(2, (8, 8)), (200, (9, 12, 3)), (5, (100, 130, 3))])
def test_page_of_any_data(tmp_path: Path, classes: int, image_shape: tuple[int, ...]) -> None:
    store, dataset = dirty(tmp_path, classes, image_shape)
    page = write(tmp_path, store, dataset, (LabelCheck("looked at", (suspect(1), suspect(2, 0.3))),))
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.images)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not page.open
    assert all(header.get("scope") in {"row", "col"} for header in page.headers)
    assert page.text.count(f"{HOSTILE} {classes - 1}") >= 1
    assert "3 training images are in the test set, too" in page.text or "in the test set, too" in page.text
    assert "looked at" in page.text and f"{HOSTILE} 0 → {HOSTILE} 1" in page.text
    assert (tmp_path / "data.html").stat().st_size < 1_500_000


def test_page_of_digits_has_nothing_to_warn_of(tmp_path: Path, store: Store, dataset: DatasetReference) -> None:
    page = write(tmp_path, store, dataset)
    assert "Nothing that deserves attention was found." in page.text
    assert len(page.images) == 10
    assert "probably wrong" not in page.text


def test_a_strip_holds_the_pixels_and_transparent_gaps() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    shown = pixels_of(strip(images, inverted=False))
    assert shown.shape == (5, 3 * 7 + 2 * GAP, 4)
    for number in range(3):
        first = number * (7 + GAP)
        assert np.array_equal(shown[:, first : first + 7, :3], images[number])
        assert np.all(shown[:, first + 7 : first + 7 + GAP, 3] == 0)
    grey = pixels_of(strip(images[..., :1], inverted=True))
    assert np.array_equal(grey[:, :7, 0], 255 - images[0, ..., 0])
    large = pixels_of(strip(np.zeros((1, 300, 150, 1), np.uint8), inverted=False))
    assert large.shape[:2] == (LARGEST, LARGEST // 2)


def test_drawings_on_black_are_shown_as_ink() -> None:
    assert ink_on_paper(np.zeros((2, 4, 4, 1), np.uint8))
    assert not ink_on_paper(np.full((2, 4, 4, 1), 200, np.uint8))
    assert not ink_on_paper(np.zeros((2, 4, 4, 3), np.uint8))


def test_files_and_sizes_of_pictures_are_named(tmp_path: Path) -> None:
    """In the page and in the table of doubtful labels, also where some images were left out."""
    generator = np.random.default_rng(0)
    for number in range(40):
        picture = Image.fromarray(generator.integers(0, 256, (8 + number % 3, 8), dtype=np.uint8))
        folder = tmp_path / "data" / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in (f"{number}.png", *(["0 again.png"] if number == 0 else [])):
            picture.save(folder / name)
    store = Store(tmp_path / "store")
    dataset = preprocess(store, data=tmp_path / "data", images=None, seed=1, key="pictures")
    commonest = ((8, 8, 15), (9, 8, 13), (10, 8, 13))
    assert dataset.sizes == OriginalSizes(different=3, commonest=commonest, smallest=(8, 8), largest=(10, 8))
    page = write(tmp_path, store, dataset, (LabelCheck("", (suspect(2), suspect(1, split="test"))),))
    assert "0 again.png" in page.text
    assert "from 8 × 8 to 10 × 8. All were brought to 9 × 9" in page.text
    files = FileNames(store, dataset)
    for split in ("train", "validation", "test"):
        images = read_split(store, dataset, split)
        for index, (image, label) in enumerate(zip(images.x, images.y, strict=True)):
            stored = np.asarray(Image.open(tmp_path / "data" / files.of(split, index)))
            assert files.of(split, index).startswith(f"class {label}/")
            assert stored.shape != (9, 8) or np.array_equal(image[:, :8, 0], stored)
    left = FileNames(store, drop_leaks(store, dataset, (0, 1, dataset.train), key="fewer"))
    assert [left.of("train", 0), left.of("validation", 0)] == [files.of("train", 2), files.of("validation", 1)]
    rows = list(csv.DictReader(io.StringIO(labels_csv([suspect(2)], dataset.names, files).decode())))
    assert rows[0]["file"] == files.of("train", 2)


def test_labels_as_a_table() -> None:
    checks = (LabelCheck("", (suspect(3, 0.1), suspect(1))), LabelCheck("", (suspect(7, -0.9, "test"),)))
    rows = list(csv.DictReader(io.StringIO(labels_csv(all_suspects(checks), ("cat", 'a "dog", too')).decode())))
    assert [row["index"] for row in rows] == ["7", "1", "3"]
    assert rows[0] == {
        "index": "7", "split": "test", "given": "cat", "suggested": 'a "dog", too', "score": "-0.900000", "wrong": "1",
        "file": "",
    }  # fmt: skip
