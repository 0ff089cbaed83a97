"""The plots that a store keeps: drawn once, and never believed where they could be wrong."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.foundation.files import pack, unpack
from mnist_models.report.pictures import pictures
from tests.examples import MATRIX, STAGES, dataset, diagonal, final, images, model, png_size

PLANTED = b"nobody drew this"


def draw(kept: Path | None = None, **changes: Any) -> dict[str, bytes]:
    inputs: dict[str, Any] = {
        "stages": STAGES[:1],
        "final": final(MATRIX),
        "dataset": dataset(),
        "mistake_images": images(3),
        "kept": kept,
    }
    return pictures(**{**inputs, **changes})


def draw_again_and_again(kept: Path, mistakes: int) -> list[dict[str, bytes]]:
    """For a process of its own: runs with so many mistakes."""
    return [draw(kept, final=final(diagonal(3, mistakes))) for _ in range(5)]


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    return draw()


@pytest.fixture
def kept(tmp_path: Path, drawn: dict[str, bytes]) -> Path:
    """A file whose pictures are not those that would be drawn, so that one can tell."""
    path = tmp_path / "pictures.npz"
    assert draw(path) == drawn
    found, state = unpack(path)
    path.write_bytes(pack(dict.fromkeys(found, np.frombuffer(PLANTED, np.uint8)), state))
    return path


def test_the_same_pictures_are_not_drawn_again(kept: Path, drawn: dict[str, bytes]) -> None:
    assert draw(kept) == dict.fromkeys(drawn, PLANTED)
    assert all(png_size(picture) for picture in drawn.values())


def test_where_a_result_came_from_does_not_show(kept: Path, drawn: dict[str, bytes]) -> None:
    again = [STAGES[0].model_copy(update={"cached": not STAGES[0].cached})]
    assert draw(kept, stages=again) == dict.fromkeys(drawn, PLANTED)


@pytest.mark.parametrize(
    "changes",
    [
        {"stages": [STAGES[0].model_copy(update={"model": model(best_epoch=3)})]},
        {"final": final(diagonal(3, 3))},
        {"dataset": dataset(source="other.npz")},
        {"mistake_images": images(3) ^ 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_pictures_are_drawn(changes: dict[str, Any], kept: Path) -> None:
    fresh = draw(kept, **changes)
    assert PLANTED not in fresh.values()
    assert fresh == draw(**changes) == draw(kept, **changes)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped", "no pictures"])
def test_a_damaged_file_is_drawn_anew(damage: str, kept: Path, drawn: dict[str, bytes]) -> None:
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 4
    damaged = {
        "empty": b"",
        "truncated": kept.read_bytes()[:-50],
        "flipped": bytes(content),
        "no pictures": pack({}, unpack(kept)[1]),
    }
    if damage == "missing":
        kept.unlink()
    else:
        kept.write_bytes(damaged[damage])
    assert draw(kept) == drawn
    assert {name: picture.tobytes() for name, picture in unpack(kept)[0].items()} == drawn


def test_runs_that_end_together_each_have_their_own_pictures(tmp_path: Path) -> None:
    kept = tmp_path / "pictures.npz"
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as runs:
        shown = list(runs.map(draw_again_and_again, [kept, kept], [1, 2]))
    assert shown[0] == [draw(final=final(diagonal(3, 1)))] * 5
    assert shown[1] == [draw(final=final(diagonal(3, 2)))] * 5
    left = {name: picture.tobytes() for name, picture in unpack(kept)[0].items()}
    assert left in (shown[0][0], shown[1][0])
    assert [path.name for path in tmp_path.iterdir()] == ["pictures.npz"]
