"""A run whose command is killed in one place and given again in another: the same bits, in one folder that all see."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_models.foundation.store import Store
from tests.clusters import Cluster
from tests.conftest import ROOT, TINY
from tests.flows.test_pipeline import timeless

FINISHED = 3  # trials, before the run is killed


def begin(store: Path, server: str, *options: str) -> subprocess.Popen[str]:
    """Starts the pipeline; what it says goes to a file beside the store."""
    command = [sys.executable, str(ROOT / "flows/full_pipeline.py"), *TINY, f"--store={store}", *options]
    with store.with_name("log").open("a") as log:
        return subprocess.Popen(
            command, env={**os.environ, "PREFECT_API_URL": server}, cwd=store.parent, stdout=log, stderr=log, text=True
        )


def kill_in_the_middle(run: subprocess.Popen[str], store: Path) -> set[str]:
    """Kills a run that has finished some trials, and returns the keys of what it had finished."""
    deadline = time.monotonic() + 300
    while len(list(store.glob("results/trial-*"))) < FINISHED:
        assert run.poll() is None and time.monotonic() < deadline, store.with_name("log").read_text()
        time.sleep(0.1)
    run.kill()
    run.wait()
    return {path.name for path in store.glob("results/*") if _whole(path)}


def _whole(path: Path) -> bool:
    """Prefect writes in place: a record that was just being written is none, and is computed again."""
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def bits(store: Path) -> tuple[object, dict[str, str]]:
    """The figures of the last run, times aside, and the digests of all weights that its store holds."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in store.glob("weights/*.npz")}
    return timeless(json.loads((store / "latest/metrics.json").read_text())), digests


@pytest.mark.slow
@pytest.mark.parametrize("first_on_the_cluster", [False, True])
def test_begun_in_one_place_and_ended_in_another(
    tmp_path: Path, server: str, first: tuple[Path, subprocess.CompletedProcess[str]], first_on_the_cluster: bool
) -> None:
    store = Store(tmp_path / "store").root
    cluster = Cluster(tmp_path / "cluster")
    elsewhere = (f"--cluster={cluster.address}",)
    try:
        cluster.add_worker()
        cluster.add_worker()
        kept = kill_in_the_middle(begin(store, server, *(elsewhere if first_on_the_cluster else ())), store)
        written = {name: (store / "results" / name).stat().st_mtime_ns for name in kept}
        assert begin(store, server, *(() if first_on_the_cluster else elsewhere)).wait(timeout=600) == 0, (
            tmp_path / "log"
        ).read_text()
    finally:
        cluster.close()
    assert bits(store) == bits(first[0])
    assert {name: (store / "results" / name).stat().st_mtime_ns for name in kept} == written
    assert "is refused" not in (tmp_path / "log").read_text()
