"""deployments → flows → tasks → mnist_models, and never back."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "mnist_models": {"mnist_models"},
    "tasks": {"mnist_models", "tasks", "prefect"},
    "flows": {"mnist_models", "tasks", "flows", "prefect"},
    "deployments": {"mnist_models", "tasks", "flows", "deployments", "prefect"},
}
WATCHED = {"mnist_models", "tasks", "flows", "deployments", "benchmarks", "tests", "prefect"}


def imported_packages(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module))
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_point_one_way(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        forbidden = (imported_packages(file.read_text()) & WATCHED) - MAY_IMPORT[room]
        assert not forbidden, f"{file.relative_to(ROOT)} imports {forbidden}"


def test_a_backward_arrow_would_be_seen() -> None:
    assert imported_packages("def f():\n    from prefect.tasks import task\n    import flows.cnn") == {
        "prefect",
        "flows",
    }


def test_settings_and_records_are_light() -> None:
    heavy = "{'tensorflow', 'keras', 'prefect', 'matplotlib', 'keras_tuner'}"
    code = f"import sys, mnist_models.foundation.settings, mnist_models.search.study; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
