from __future__ import annotations

from pathlib import Path

import pytest

from mnist_models.foundation import fingerprint
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.networks.by_name import NETWORKS


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources that a test may change."""
    package = Path(fingerprint.__file__).parent
    for file in package.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(fingerprint, "_source", lambda name: tmp_path / f"{name}.py")
    return tmp_path


def fingerprints() -> dict[str, str]:
    code_fingerprint.cache_clear()
    return {network: code_fingerprint("training", network) for network in NETWORKS}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_changed_network_changes_its_trainings_only(network: str, sources: Path) -> None:
    before = fingerprints()
    change(sources / f"{network}.py", "keras.layers.Dense(classes", "keras.layers.Dense(2 * classes")
    after = fingerprints()
    assert {name for name in NETWORKS if before[name] != after[name]} == {network}


@pytest.mark.parametrize("module", ["program", "augmentation", "optimizers", "training"])
def test_what_all_trainings_use_changes_all(module: str, sources: Path) -> None:
    before = fingerprints()
    with (sources / f"{module}.py").open("a") as file:
        file.write("\nNEW = 1\n")
    after = fingerprints()
    assert all(before[name] != after[name] for name in NETWORKS)


def test_layers_change_the_networks_that_use_them(sources: Path) -> None:
    before = fingerprints()
    with (sources / "cnn.py").open("a") as file:
        file.write("\nfrom mnist_models import plots\n")
    assert fingerprints()["cnn"] != before["cnn"]


@pytest.mark.parametrize("module", ["plots", "report", "config", "search_spaces", "oracle", "evaluation"])
def test_what_trainings_do_not_use_changes_none(module: str, sources: Path) -> None:
    before = fingerprints()
    with (sources / f"{module}.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert fingerprints() == before


def test_comments_and_docstrings_do_not_count(sources: Path) -> None:
    before = fingerprints()
    change(sources / "cnn.py", '"""The convolutional network', '"""A convolutional network')
    with (sources / "cnn.py").open("a") as file:
        file.write("\n# a comment\n")
    assert fingerprints() == before


def test_versions_count(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints()
    monkeypatch.setattr(fingerprint, "versions", lambda: (("tensorflow", "3.0"),))
    after = fingerprints()
    code_fingerprint.cache_clear()
    assert all(before[name] != after[name] for name in NETWORKS)


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(ModuleNotFoundError, match="Expected a module of mnist_models"):
        code_fingerprint("no_such_module")
