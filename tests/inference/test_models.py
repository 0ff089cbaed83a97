"""The forms of one model agree; which one answers is found; where it looks can be seen."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from mnist_models.inference.answers import answer, render
from mnist_models.inference.engines import EngineError, load_engine
from mnist_models.inference.model import Model, NoModelError, find_model
from mnist_models.inference.pictures import decode
from mnist_models.inference.saliency import draw_saliency, draw_seen, saliency
from tests.serving import FRUIT, ROOT, draw_fruit


@pytest.fixture(scope="module")
def digits(store: Store, dataset: DatasetReference) -> np.ndarray:
    return np.array(read_split(store, dataset, "test").x)


def test_litert_answers_as_keras_in_batches_of_any_size(champion: Store, digits: np.ndarray) -> None:
    litert, keras = Model(find_model(champion)), Model(find_model(champion, champion.root / "model.keras"))
    expected = keras.predict(digits)
    for size in (1, 13, 100):
        assert np.abs(litert.predict(digits[:size]) - expected[:size]).max() < 1e-5
    assert litert.predict(digits[:0]).shape == (0, 10)
    assert litert.engine.name != keras.engine.name


@pytest.mark.skipif(
    importlib.util.find_spec("tf2onnx") is None, reason="tf2onnx is missing: pip install -e '.[export]'"
)
def test_onnx_answers_as_litert(champion: Store, digits: np.ndarray, tmp_path: Path) -> None:
    code = (
        "import sys, keras, pathlib, numpy as np; from mnist_models.export.conversion import convert;"
        "model, image = keras.saving.load_model(sys.argv[1]), np.zeros((1, 28, 28, 1), np.float32);"
        "convert(model, 'onnx', pathlib.Path(sys.argv[2]), image)"
    )
    subprocess.run([sys.executable, "-c", code, champion.root / "model.keras", tmp_path], check=True, cwd=ROOT)
    [path] = tmp_path.glob("*.onnx")
    onnx = Model(find_model(champion, path))
    assert np.abs(onnx.predict(digits) - Model(find_model(champion)).predict(digits)).max() < 1e-4


def test_int8_is_asked_for_by_name_and_is_close(fruit: Store) -> None:
    rng = np.random.default_rng(5)
    images = np.stack([np.asarray(draw_fruit(name, rng).resize((40, 32))) for name in FRUIT for _ in range(10)])
    files = [find_model(fruit, form=form, champion="fruit") for form in (None, "litert_int8")]
    assert [file.path.name for file in files] == ["model.tflite", "model_int8.tflite"]
    exact, close = (Model(file).predict(images).argmax(axis=1) for file in files)
    assert (exact == close).mean() >= 0.9


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".keras"])
def test_what_is_no_model_is_refused(suffix: str) -> None:
    for content in (b"", b"hello" * 100):
        with pytest.raises(EngineError, match=r"x: expected"):
            load_engine(content, suffix, "x")


def test_the_champion_or_a_named_file_answers(champion: Store, tmp_path: Path) -> None:
    file = find_model(champion)
    assert (file.path.name, file.pen is not None) == ("forward.tflite", True)
    assert find_model(champion, form="keras").path.suffix == ".keras"
    assert find_model(champion, preparation="plain").pen is None
    for problem in (lambda: find_model(Store(tmp_path)), lambda: find_model(champion, tmp_path / "no.tflite")):
        with pytest.raises(NoModelError, match="Received"):
            problem()
    with pytest.raises(NoModelError, match="out of"):
        find_model(champion, form="onnx")


def test_a_file_that_is_not_what_the_champion_says_never_answers(champion: Store, tmp_path: Path) -> None:
    copy = tmp_path / "forward.tflite"
    file = find_model(champion)
    copy.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        Model(type(file)(copy, hashlib.sha256(b"").hexdigest(), "x", (), None))


def test_answers_are_ranked_and_written() -> None:
    one = answer('a "quoted", name.png', np.array([0.1, 0.7, 0.2], np.float32), ("cat", "dog", "owl"))
    assert (one.label, one.probability, one.runner_up) == ("dog", pytest.approx(0.7), "owl")
    assert render([one], "csv").splitlines()[1].startswith('"a ""quoted"", name.png",dog,0.7')
    assert "70.00 %" in render([one], "table")


def test_saliency_finds_the_ink(champion: Store, digits: np.ndarray) -> None:
    model = Model(find_model(champion))
    for digit in digits[:5]:
        found = saliency(digit, model.predict)
        near = np.asarray(Image.fromarray(digit[..., 0]).resize((7, 7), Image.Resampling.BOX).resize((28, 28))) > 20
        assert found.shape == (28, 28)
        assert np.abs(found[near]).mean() > 3 * np.abs(found[~near]).mean()
        assert decode(draw_saliency(digit, found), "x").shape == (280, 280, 3)
        assert decode(draw_seen(digit), "x").shape == (280, 280, 3)


def test_no_tensorflow_where_litert_answers(champion: Store) -> None:
    code = (
        "import sys, pathlib; from mnist_models.foundation.store import Store;"
        "from mnist_models.inference.model import Model, find_model; import running.serving.application;"
        "Model(find_model(Store(pathlib.Path(sys.argv[1]))));"
        "print(sorted({'tensorflow', 'keras', 'prefect', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, champion.root], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
