from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mnist_models.foundation import fingerprint
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.networks.by_name import NETWORKS


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources that a test may change."""
    package = Path(fingerprint.__file__).parents[1]
    for file in package.rglob("*.py"):
        copy = tmp_path / file.relative_to(package)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, copy)

    def source(name: str) -> Path:
        path = tmp_path.joinpath(*name.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")

    monkeypatch.setattr(fingerprint, "_source", source)
    return tmp_path


def fingerprints() -> dict[str, str]:
    code_fingerprint.cache_clear()
    return {network: code_fingerprint("training.loop", f"networks.{network}") for network in NETWORKS}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_changed_network_changes_its_trainings_only(network: str, sources: Path) -> None:
    before = fingerprints()
    change(sources / f"networks/{network}.py", "keras.layers.Dense(classes", "keras.layers.Dense(2 * classes")
    after = fingerprints()
    assert {name for name in NETWORKS if before[name] != after[name]} == {network}


@pytest.mark.parametrize(
    "module", ["programs/program", "data/augmentation", "optimizers/optimizer", "optimizers/muon", "training/loop"]
)
def test_what_all_trainings_use_changes_all(module: str, sources: Path) -> None:
    before = fingerprints()
    append(sources / f"{module}.py", "\nNEW = 1\n")
    after = fingerprints()
    assert all(before[name] != after[name] for name in NETWORKS)


def test_layers_change_the_networks_that_use_them(sources: Path) -> None:
    before = fingerprints()
    append(sources / "networks/residual.py", "\nfrom mnist_models.data.split import stratified_split\n")
    between = fingerprints()
    append(sources / "data/split.py", "\nNEW = 1\n")
    after = fingerprints()
    assert len({fingerprints["residual"] for fingerprints in (before, between, after)}) == 3
    assert before["cnn"] == after["cnn"]


@pytest.mark.parametrize(
    "module",
    ["report/plots", "report/page", "foundation/settings", "search/spaces", "search/oracles", "judging/evaluation"],
)
def test_what_trainings_do_not_use_changes_none(module: str, sources: Path) -> None:
    before = fingerprints()
    append(sources / f"{module}.py", "\nNEW = 1\n")
    assert fingerprints() == before


def test_comments_and_docstrings_do_not_count(sources: Path) -> None:
    before = fingerprints()
    change(sources / "networks/cnn.py", '"""The convolutional network', '"""A convolutional network')
    append(sources / "networks/cnn.py", "\n# a comment\n")
    assert fingerprints() == before


def test_where_a_module_lies_does_not_count(sources: Path) -> None:
    before = fingerprints()
    (sources / "programs/calibration.py").rename(sources / "data/temperature.py")
    change(sources / "programs/trainee.py", "mnist_models.programs.calibration", "mnist_models.data.temperature")
    assert fingerprints() == before


def test_which_of_two_modules_a_name_comes_from_counts(sources: Path) -> None:
    append(sources / "data/split.py", "\nMAXIMUM_PIXEL = 1\n")
    before = fingerprints()
    old = "from mnist_models.data.dataset import MAXIMUM_PIXEL"
    change(sources / "programs/graphs.py", old, old.replace("dataset", "split"))
    assert fingerprints() != before


def test_modules_in_a_circle_are_refused(sources: Path) -> None:
    append(sources / "programs/shape.py", "\nfrom mnist_models.training.loop import fit\n")
    with pytest.raises(ValueError, match="circle"):
        fingerprints()
    code_fingerprint.cache_clear()


def test_versions_count(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints()
    monkeypatch.setattr(fingerprint, "versions", lambda: (("tensorflow", "3.0"),))
    after = fingerprints()
    code_fingerprint.cache_clear()
    assert all(before[name] != after[name] for name in NETWORKS)


def test_an_unknown_module_is_refused() -> None:
    for name in ("no_such_module", "no_such_package.module"):
        with pytest.raises(ModuleNotFoundError, match="Expected a module of mnist_models"):
            code_fingerprint(name)
