from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_models.foundation.store import Store
from tests.conftest import ROOT

SLOW = (
    "accuracy.final_accuracy", "accuracy.surrogates", "accuracy.fidelity", "accuracy.time_to_accuracy",
    "accuracy.portfolio", "accuracy.search_quality", "speed.trials_per_hour", "speed.worker_scaling",
    "speed.default_run", "speed.full_run", "speed.overhead", "speed.ingest", "speed.roofline", "speed.kernels",
    "cluster.utilisation", "cluster.many_trials", "cluster.against_pool",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["accuracy.promotion_gate", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_a_benchmark_prints_both_sides_and_writes_them(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accuracy.foreign_digits", "speed.strokes", "speed.serving"])
def test_a_benchmark_of_a_model_in_use(name: str, champion: Store, tmp_path: Path) -> None:
    if name == "speed.strokes" and shutil.which("chromium") is None:
        pytest.skip("chromium is missing: apt install chromium")
    check(name, tmp_path, str(champion.root / "model.keras"))


@pytest.mark.slow
def test_a_benchmark_of_a_library_that_is_no_dependency(tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="s3fs is missing: pip install s3fs")
    check("cluster.object_clients", tmp_path)


def check(name: str, tmp_path: Path, *arguments: str) -> None:
    """Runs a benchmark as a smoke test."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    command += ["--quick", "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    content = json.loads((tmp_path / "figures.json").read_text())
    assert content["quick"]
    assert all(figure["n"] == len(figure["values"]) > 0 for figure in content["figures"])
    assert all(math.isfinite(claim["value"]) for claim in content["claims"])
    assert all(claim["target"] in done.stdout for claim in content["claims"])
    markdown = [sys.executable, "-m", "benchmarks.markdown", str(tmp_path / "figures.json")]
    tables = subprocess.run(markdown, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"| {entry['name']} |" in tables for entry in content["figures"] + content["claims"])


DOCS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def test_the_commands_that_docs_name_exist() -> None:
    texts = [*DOCS, *ROOT.glob("benchmarks/**/*.py")]
    named = {name for path in texts for name in re.findall(r"python -m (benchmarks[.\w]+)", path.read_text())}
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / f"{name.replace('.', '/')}.py").is_file()]


def test_the_files_that_docs_name_exist() -> None:
    named = {name for path in DOCS for name in re.findall(r"[`( ]([\w/]+/\w+\.(?:py|yaml))\b", path.read_text())}
    assert len(named) > 20
    inside = ("", "mnist_models", "tasks")
    assert not [name for name in named if not any((ROOT / folder / name).is_file() for folder in inside)]
