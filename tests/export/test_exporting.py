"""Every form answers as the Keras model does; the lines of docs/serving.md load each, without this package."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from mnist_models.data.dataset import DatasetReference, read_split, scale
from mnist_models.export.conversion import convert, missing_packages
from mnist_models.export.exporting import ask_model, write_form
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.settings import Form
from mnist_models.foundation.store import Store
from mnist_models.inference.engines import load_engine
from mnist_models.judging.export import export_ensemble
from mnist_models.networks.by_name import build_network
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from running.command_line import parse_command_line
from tests.conftest import ROOT

NAMES = ("zero", "one", "two", "three", "four", "fünf", "six", "seven", "eight", "nine to ten")
FORMS: tuple[Form, ...] = ("savedmodel", "litert", "litert_int8", "onnx")
RESIDUAL = {"stem_filters": 4, "middle_filters": 8, "filters": 16, "views": "shifts"}


@pytest.fixture(scope="module")
def exported(store: Store, dataset: DatasetReference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a run leaves it: a model in all forms, and five images."""
    spec = TrainingSpec(network="residual", hyperparameters=RESIDUAL, epochs=3, batch_size=50)
    member = fit(spec, dataset, store.root, key="form-member", keep_weights=True)
    dataset = DatasetReference(**{**dict(dataset), "seal": "", "class_names": NAMES})
    model = export_ensemble([member], dataset, store.root, key="export-forms")
    folder = tmp_path_factory.mktemp("run")
    shutil.copyfile(store.verify(model.file), folder / "model.keras")
    np.save(folder / "images.npy", scale(read_split(store, dataset, "test").x[:5]))
    expected = ask_model(model.file, dataset, 0.0, store.root)
    for name in FORMS:
        if not missing_packages(name):
            key = f"form-{name}"
            form = write_form(name, model.file, dataset, 0.0, store.root, key=key).compare(expected, key)
            (folder / f"{name}.json").write_text(form.model_dump_json())
            path = store.root / form.path
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, folder / path.name)
    return folder


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, exported: Path) -> ExportedForm:
    if missing := missing_packages(request.param):
        pytest.skip(f'{missing} not installed: pip install -e ".[export]"')
    return ExportedForm.model_validate_json((exported / f"{request.param}.json").read_text())


def test_a_form_answers_as_the_model(form: ExportedForm, store: Store, dataset: DatasetReference) -> None:
    assert form.images == dataset.test
    assert form.milliseconds > 0
    for file in form.files:
        store.verify(file)
    if form.form == "litert_int8":
        assert form.labels_equal >= 0.9 * form.images
    else:
        assert form.labels_equal == form.images
        assert form.largest_difference < 1e-5


@pytest.mark.parametrize("name", ["model.keras", "savedmodel", "model.tflite", "model_int8.tflite", "model.onnx"])
def test_a_file_says_what_its_classes_are_called(name: str, exported: Path) -> None:
    path = exported / name
    if not path.exists():
        pytest.skip('onnxruntime or tf2onnx not installed: pip install -e ".[export]"')
    if path.is_dir():
        assert tuple((path / "assets.extra/labels.txt").read_text().splitlines()) == NAMES
    else:
        assert load_engine(path.read_bytes(), path.suffix, name).class_names == NAMES


@pytest.mark.slow
def test_int8_is_a_quarter_of_float(tmp_path: Path) -> None:
    """Where weights are many; in a tiny network scales and zero points count for more."""
    model = build_network("fully_connected", (28, 28, 1), 10, {"hidden_layer_size": 256, "depth": 2})
    images = np.random.default_rng(1).random((20, 28, 28, 1), np.float32)
    sizes = [convert(model, form, tmp_path, images).stat().st_size for form in ("litert", "litert_int8")]
    assert sizes[1] / sizes[0] == pytest.approx(0.25, abs=0.02)


def blocks() -> dict[str, str]:
    """The Python of each form in the docs' section "Loading", by its heading."""
    section = (ROOT / "docs/serving.md").read_text().split("\n## Loading\n")[1].split("\n## ")[0]
    return dict(re.findall(r"\*\*(.+?)\*\*[^\n]*\n\n```python\n(.+?)```", section, flags=re.DOTALL))


@pytest.mark.parametrize("name", ["Keras", "SavedModel", "LiteRT", "LiteRT, int8", "ONNX"])
def test_the_lines_in_the_docs_load_it_without_this_package(name: str, exported: Path) -> None:
    lines = blocks()[name]
    assert len(lines.strip().splitlines()) <= 5
    needed = re.findall(r"^(?:import|from) (\w+)", lines, flags=re.MULTILINE)
    if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
        pytest.skip(f'{missing} not installed: pip install -e ".[export]"')
    check = 'import sys; assert "mnist_models" not in sys.modules; numpy.save("answer.npy", probabilities)'
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{lines}\n{check}"], cwd=exported, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = keras.models.load_model(exported / "model.keras").predict(np.load(exported / "images.npy"), verbose=0)
    assert np.allclose(np.load(exported / "answer.npy"), expected, atol=0.15 if "int8" in name else 1e-5)


def test_an_unknown_form_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_command_line(["--exports", "litert,pickle"])
    assert "--exports (or MNIST_EXPORTS): expected names out of savedmodel, litert" in capsys.readouterr().err
