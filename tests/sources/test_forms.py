"""The same images in each form are the same data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_models.data import preprocessing
from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import EMBEDDED, preprocess
from mnist_models.foundation import files
from mnist_models.foundation.store import Store
from mnist_models.sources import source, tables
from tests.sources.forms import FORMS, Images, can_hold

NUMBERS = st.integers(0, 255).map(str)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\."), min_size=1, max_size=9
)


@st.composite
def data_sets(draw: st.DrawFn) -> Images:
    """Small data sets of many shapes and names; some images are there twice, under one label or under two."""
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 3])))
    names = draw(st.lists(draw(st.sampled_from([NUMBERS, WORDS])), min_size=2, max_size=4, unique=True))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = draw(st.sampled_from([("train", "test"), ("train", "validation", "test")]))
    levels = draw(st.sampled_from([2, 256]))
    sizes = {part: draw(st.integers(6 if part == "train" else 1, 8)) for part in parts}
    return Images({part: part_of(generator, size * len(names), shape, names, levels) for part, size in sizes.items()})


def part_of(
    generator: np.random.Generator, count: int, shape: tuple[int, int, int], names: list[str], levels: int
) -> tuple[np.ndarray, list[str]]:
    images = (generator.integers(0, levels, (count, *shape)) * (255 // (levels - 1))).astype(np.uint8)
    labels = [names[number % len(names)] for number in range(count)]
    return images, labels


def ingest(path: Path | None, folder: Path, images: int | None = None) -> tuple[Store, DatasetReference]:
    store = Store(folder)
    return store, preprocess(store, data=path, images=images, seed=1, key="dataset-form")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data_sets())
def test_each_form_is_the_same_data_set(tmp_path_factory: pytest.TempPathFactory, data: Images) -> None:
    folder = tmp_path_factory.mktemp("forms")
    fingerprints = {}
    for form, write in FORMS.items():
        if can_hold(form, data):
            store, record = ingest(write(data, folder / form), folder / "store")
            fingerprints[form] = record.fingerprint
    assert len(set(fingerprints.values())) == 1, fingerprints
    for split, parts in (("train+validation", ("train", "validation")), ("test", ("test",))):
        found = read_split(store, record, split)
        expected = [part for part in parts if part in data.parts]
        assert sorted(
            zip([image.tobytes() for image in found.x], [record.class_names[y] for y in found.y], strict=True)
        ) == sorted(
            (image.tobytes(), label) for part in expected for image, label in zip(*data.parts[part], strict=True)
        )


@pytest.mark.parametrize("form", ["idx", "pictures", "csv"])
def test_a_data_set_of_many_chunks_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Chunks and windows of a dozen images are merged, and what is written is let go; some images are equal."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (500, 4, 3, 1), dtype=np.uint8)
    images[100:150] = images[7]
    labels = [str(number % 3) for number in range(500)]
    data = Images({"train": (images[:400], labels[:400]), "test": (images[400:], labels[400:])})
    path = FORMS[form](data, tmp_path / form)
    expected = ingest(path, tmp_path / "whole")[1]
    for module, name in ((source, "CHUNK_BYTES"), (tables, "CHUNK_BYTES"), (preprocessing, "WINDOW_BYTES")):
        monkeypatch.setattr(module, name, 150)
    monkeypatch.setattr(files, "LARGE_PIECE", 100)
    monkeypatch.setattr(files, "CACHED", 1_000)
    store, found = ingest(path, tmp_path / "parts")
    assert found.fingerprint == expected.fingerprint
    assert found.files["x_train"] == expected.files["x_train"]
    assert len(read_split(store, found, "train+validation")) == 400


def test_mnist_is_the_embedded_one_in_whatever_form(tmp_path: Path) -> None:
    with np.load(EMBEDDED) as arrays:
        generator = np.random.default_rng(0)
        parts = {}
        for part in ("train", "test"):
            order = generator.permutation(len(arrays[f"x_{part}"]))
            labels = [str(label) for label in arrays[f"y_{part}"][order]]
            parts[part] = (arrays[f"x_{part}"][order][..., np.newaxis], labels)
    expected = ingest(None, tmp_path)[1]
    found = ingest(FORMS["idx"](Images(parts), tmp_path / "idx"), tmp_path)[1]
    assert found.fingerprint == expected.fingerprint
    assert found.files == expected.files
