"""The look before the hours, as a user takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Images of three classes, one of them rare; four training images are in the test set, too."""
    generator = np.random.default_rng(0)
    labels = np.r_[np.arange(200) % 2, np.full(10, 2)]
    images = generator.integers(0, 256, (210, 12, 10, 3), dtype=np.uint8)
    test, test_labels = images[:30].copy(), labels[:30]
    test[4:] = generator.integers(0, 256, (26, 12, 10, 3), dtype=np.uint8)
    np.savez(tmp_path / "leaking.npz", x_train=images, y_train=labels, x_test=test, y_test=test_labels)
    return tmp_path / "leaking.npz"


def test_the_look_says_what_it_finds_and_drops_what_leaks(
    run_script: Run, server: str, leaking: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    command = ("flows/preprocessing.py", "--data", str(leaking), "--store", str(store))
    done = run_script(*command, PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "in the test set, too: " in done.stderr and "shared by splits: " in done.stderr
    assert "1 of 3 classes with fewer than 20 training images: 2" in done.stderr
    page = (store / "latest_data" / "data.html").read_text()
    assert "in the test set, too" in page and "--drop-leaks" in page
    first = (store / "latest_data").resolve()
    results = {path.name: path.stat().st_mtime_ns for path in (store / "results").iterdir()}
    again = run_script(*command, PREFECT_API_URL=server)
    assert again.returncode == 0, again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in (store / "results").iterdir()} == results
    dropped = run_script(*command, "--drop-leaks", PREFECT_API_URL=server)
    assert dropped.returncode == 0, dropped.stderr
    assert "4 images that leak are left out" in dropped.stderr
    assert (store / "latest_data").resolve() != first
    page = (store / "latest_data" / "data.html").read_text()
    assert "in the test set, too" not in page and "4 images that are also in a split" in page


@pytest.mark.slow
def test_labels_are_looked_at_by_folds(run_script: Run, server: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    command = ("flows/labels.py", "--profile=quick", "--images=600", "--epoch-images=500", "--store", str(store))
    done = run_script(*command, "--label-folds=3", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr
    assert "of 600 labels are probably wrong, by 3 networks" in done.stderr
    folder = store / "latest_data"
    assert "Labels that are probably wrong" in (folder / "data.html").read_text()
    table = (folder / "labels.csv").read_text()
    again = run_script(*command, "--label-folds=3", "--workers=1", "--refresh", PREFECT_API_URL=server)
    assert again.returncode == 0, again.stderr
    assert (folder / "labels.csv").read_text() == table
    assert not list((store / "checkpoints").rglob("*.npz"))
    assert len(list((store / "datasets").iterdir())) == 1
