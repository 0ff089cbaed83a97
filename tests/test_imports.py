"""deployments → flows → running → tasks → mnist_models, its packages one way, too, and no circle anywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "mnist_models": {"mnist_models"},
    "tasks": {"mnist_models", "tasks", "prefect"},
    "running": {"mnist_models", "tasks", "running", "prefect"},
    "flows": {"mnist_models", "tasks", "running", "flows", "prefect"},
    "deployments": {"mnist_models", "tasks", "running", "flows", "deployments", "prefect"},
}
WATCHED = {*MAY_IMPORT, "benchmarks", "tests", "prefect"}
_GROUND = {"objects", "foundation", "sources", "data", "networks", "optimizers"}
PACKAGES = {  # of mnist_models, and what each may import besides itself
    "objects": set[str](),
    "foundation": {"objects"},
    "networks": set[str](),
    "sources": {"foundation"},
    "reading": {"foundation", "sources"},
    "data": {"foundation", "sources", "reading"},
    "optimizers": {"foundation"},
    "programs": _GROUND,
    "training": {*_GROUND, "programs"},
    "surrogate": set[str](),
    "search": {*_GROUND, "programs", "training", "surrogate"},
    "time_budget": {*_GROUND, "programs", "training", "search", "surrogate"},
    "inspection": {"foundation", "data"},
    "judging": {*_GROUND, "programs", "training", "inspection"},
    "export": {*_GROUND, "programs", "training", "judging"},
    "champion": {*_GROUND, "programs", "training", "inspection", "judging", "export"},
    "inference": {"foundation", "sources", "data", "champion"},
    "report": {*_GROUND, "training", "search", "inspection", "judging", "export", "champion"},
    "data_page": {"foundation", "data", "inspection", "judging", "report"},
    "lineage": {*_GROUND, "training", "search", "judging", "export", "champion", "report"},
}
MOST_MODULES = 9


def imports(source: str) -> Iterator[tuple[str, str | None]]:
    """What a source imports, wherever in it: module, and name for `from module import name`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((str(node.module), alias.name) for alias in node.names)


def imported_rooms(source: str, depth: int = 0) -> set[str]:
    """The parts of the imported modules' names at a depth: 0 for rooms, 1 for packages in them."""
    names = (f"{module}.{name}" for module, name in imports(source))
    return {name.split(".")[depth] for name in names if name.split(".")[0] in WATCHED}


def read_sources() -> dict[str, str]:
    """The text of every module of ours, by name."""
    paths = [path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in paths}


SOURCES = read_sources()


def arrows(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports; `from package import module` counts as the module."""

    def target(module: str, name: str | None) -> str:
        return f"{module}.{name}" if f"{module}.{name}" in sources else module

    return {
        importer: {target(*imported) for imported in imports(text)} & set(sources) for importer, text in sources.items()
    }


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle in the order in which they import each other, or nothing."""
    done: set[str] = set()

    def follow(path: list[str]) -> list[str]:
        if path[-1] in path[:-1]:
            return path[path.index(path[-1]) :]
        if path[-1] not in done:
            for imported in sorted(arrows[path[-1]]):
                if found := follow([*path, imported]):
                    return found
        done.add(path[-1])
        return []

    return next((found for start in sorted(arrows) if (found := follow([start]))), [])


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_between_rooms_point_one_way(room: str) -> None:
    mine = {name: text for name, text in SOURCES.items() if name.startswith(f"{room}.")}
    assert mine
    for name, text in mine.items():
        forbidden = imported_rooms(text) - MAY_IMPORT[room]
        assert not forbidden, f"{name} imports {forbidden}"


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_between_packages_point_one_way(package: str) -> None:
    mine = {name: text for name, text in SOURCES.items() if name.startswith(f"mnist_models.{package}.")}
    assert mine
    for name, text in mine.items():
        forbidden = imported_rooms(text, depth=1) - PACKAGES[package] - {package}
        assert not forbidden, f"{name} imports {forbidden}"


def test_every_package_has_a_place_is_small_and_says_what_it_is() -> None:
    folders = {path.parent.name for path in (ROOT / "mnist_models").glob("*/__init__.py")}
    assert folders == set(PACKAGES)
    for folder in {path.parent for path in (ROOT / "mnist_models").glob("*/**/__init__.py")}:
        modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
        assert 0 < len(modules) <= MOST_MODULES
        assert "mport" in (ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "")


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(arrows(SOURCES)) == []


def test_a_backward_arrow_would_be_seen() -> None:
    source = "def f():\n    from prefect.tasks import task\n    import flows.cnn"
    assert imported_rooms(source) == {"prefect", "flows"}
    assert imported_rooms("from mnist_models.data import augmentation", depth=1) == {"data"}
    assert imported_rooms("from mnist_models import data", depth=1) == {"data"}


def test_a_circle_would_be_seen() -> None:
    """Also one that a checker of types alone would meet."""
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mnist_models.training.loop import fit\n"
    changed = {**SOURCES, "mnist_models.programs.shape": SOURCES["mnist_models.programs.shape"] + guarded}
    assert {"mnist_models.programs.shape", "mnist_models.training.loop"} <= set(circle(arrows(changed)))


def test_settings_and_records_are_light() -> None:
    heavy = "{'tensorflow', 'keras', 'prefect', 'matplotlib', 'keras_tuner'}"
    modules = ("foundation.settings", "search.trials", "report.run", "champion.history")
    light = ", ".join(f"mnist_models.{module}" for module in modules)
    code = f"import sys, {light}; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
