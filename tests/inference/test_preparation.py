"""Pen on paper becomes what MNIST is; other pictures stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.pen import Pen, has_form
from mnist_models.foundation.store import Store
from mnist_models.inference.ink import find_ink, stroke_width
from mnist_models.inference.model import Model, find_model
from mnist_models.inference.pictures import PictureError
from mnist_models.inference.preparation import prepare

SHAPE, PEN = (28, 28, 1), Pen(box=20)


@pytest.fixture(scope="module")
def digits(store: Store, dataset: DatasetReference) -> np.ndarray:
    return np.array(read_split(store, dataset, "test").x)


@pytest.fixture(scope="module")
def labels(store: Store, dataset: DatasetReference) -> np.ndarray:
    return np.array(read_split(store, dataset, "test").y)


@pytest.fixture(scope="module")
def model(champion: Store) -> Model:
    return Model(find_model(champion))


def on_paper(digit: np.ndarray, side: int = 90, corner: tuple[int, int] = (70, 15)) -> np.ndarray:
    """A digit written small on a large light sheet with a shadow across it, grain and a speck of dust."""
    rng = np.random.default_rng(1)
    ink = np.asarray(Image.fromarray(digit[..., 0]).resize((side, side), Image.Resampling.BICUBIC)) / 255
    sheet = np.full((240, 200), 225.0) - np.linspace(0, 60, 200)
    top, left = corner
    sheet[top : top + side, left : left + side] *= 1 - 0.75 * ink
    sheet[8:11, 180:183] = 60
    return (sheet + rng.normal(0, 3, sheet.shape)).clip(0, 255).astype(np.uint8)


def test_what_has_the_form_stays_as_it_is(digits: np.ndarray) -> None:
    kept = [np.array_equal(prepare(digit[..., 0], "x", SHAPE, PEN), digit) for digit in digits]
    assert np.mean(kept) > 0.97


def test_pen_on_paper_is_read_as_the_digit_it_was(model: Model, digits: np.ndarray, labels: np.ndarray) -> None:
    as_they_are = model.predict(digits).argmax(axis=1)
    prepared = np.stack([model.prepare(on_paper(digit), "x") for digit in digits])
    found = model.predict(prepared).argmax(axis=1)
    assert (as_they_are == labels).mean() > 0.9
    assert (found == as_they_are).mean() > 0.93


def test_pen_on_paper_gets_the_form(digits: np.ndarray) -> None:
    prepared = [prepare(on_paper(digit), "x", SHAPE, PEN)[..., 0] for digit in digits]
    assert np.mean([has_form(image, PEN) for image in prepared]) > 0.9


def test_dark_on_light_and_light_on_dark_are_one(digits: np.ndarray) -> None:
    sheet = on_paper(digits[0])
    light, dark = (prepare(pixels, "x", SHAPE, PEN).astype(int) for pixels in (sheet, 255 - sheet))
    assert np.abs(light - dark).max() <= 2


def test_thin_strokes_are_widened_and_fat_ones_narrowed() -> None:
    for width in (2, 60):
        sheet = np.full((400, 400), 255, np.uint8)
        sheet[60:340, 200 - width // 2 : 200 + width // 2] = 0
        sheet[60 : 60 + width, 100:300] = 0
        prepared = prepare(sheet, "x", SHAPE, PEN)[..., 0]
        assert 1.5 <= stroke_width(np.where(prepared > 100, 1.0, 0.0)) <= 4.5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_drawn_is_said(level: int) -> None:
    with pytest.raises(PictureError, match=r"blank\.png: expected pen on paper"):
        prepare(np.full((50, 40), level, np.uint8), "blank.png", SHAPE, PEN)


def test_the_smallest_pictures_do_not_fail() -> None:
    for shape in ((1, 1), (1, 9), (2, 2), (3, 300), (300, 2)):
        sheet = np.full(shape, 255, np.uint8)
        sheet[shape[0] // 2, shape[1] // 2] = 0
        assert find_ink(sheet).shape[0] >= 1
        try:
            assert prepare(sheet, "x", SHAPE, PEN).shape == SHAPE
        except PictureError as error:
            assert "nothing is drawn" in str(error)


def test_other_pictures_are_fitted_whole_in_their_colours() -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[..., 0] = 200
    pixels[10:30, 20:60] = (10, 20, 240)
    fitted = prepare(pixels, "x", (32, 32, 3), None)
    assert fitted.shape == (32, 32, 3)
    assert (fitted[0, 0] == (200, 0, 0)).all()  # what is left shows the border's colour
    assert np.abs(fitted[16, 16].astype(int) - (10, 20, 240)).max() <= 3
    assert (prepare(fitted, "x", (32, 32, 3), None) == fitted).all()
    assert prepare(pixels, "x", (28, 28, 1), None).shape == (28, 28, 1)
    assert prepare(pixels[..., 0], "x", (28, 28, 3), None).shape == (28, 28, 3)


def test_a_blurred_photograph_still_shows_ink(digits: np.ndarray) -> None:
    blurred = Image.fromarray(on_paper(digits[1])).filter(ImageFilter.GaussianBlur(2))
    ink = find_ink(np.asarray(blurred))
    assert 0.003 < (ink > 0.5).mean() < 0.2
