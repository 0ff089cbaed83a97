"""A run whose workers share nothing but an object store, begun in one place and ended in another: the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_models.objects.s3 import S3Objects
from tests.clusters import Cluster
from tests.conftest import ROOT, TINY
from tests.flows.test_pipeline import timeless
from tests.machines import address, machines
from tests.s3_server import SECRET, S3Server, s3_server

STORE = "s3://digits/run"


def begin(folder: Path, server: str, s3: S3Server, *options: str) -> subprocess.Popen[str]:
    """Starts the pipeline on a machine of its own: what it keeps lies in a folder of its own."""
    environment = {**os.environ, **s3.environment, "PREFECT_API_URL": server, "XDG_CACHE_HOME": str(folder)}
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("a") as log:
        command = [sys.executable, str(ROOT / "flows/full_pipeline.py"), *TINY, f"--store={STORE}", *options]
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, text=True)


def kill_after(run: subprocess.Popen[str], trials: int, folder: Path) -> None:
    """Kills a run once it has finished so many trials."""
    deadline = time.monotonic() + 300
    while len(list(folder.glob("mnist_models/*/results/trial-*"))) < trials:
        assert run.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.2)
    run.kill()
    run.wait()


def open_store(s3: S3Server) -> S3Objects:
    """What the machines share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment.items():
            patch.setenv(name, value)
        return S3Objects(STORE)


def versions(s3: S3Server) -> dict[str, str]:
    """The tag of each result among the objects."""
    objects = open_store(s3)
    found = {name: objects.get(name) for name, _ in objects.sizes("results")}
    assert len(found) >= 3
    return {name: each.tag for name, each in found.items() if each}


@pytest.mark.slow
def test_begun_on_the_pool_gone_on_with_on_a_cluster_and_ended_on_the_pool(
    tmp_path: Path, server: str, first: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    untouched = timeless(json.loads((first[0] / "latest/metrics.json").read_text()))
    with machines(21, 22, 23) as places, s3_server(tmp_path / "s3", address(places)) as s3:
        cluster = Cluster(tmp_path / "cluster", address(places))
        try:
            for number, place in enumerate(places):
                folder = str(tmp_path / f"machine-{number}")
                cluster.add_worker(machine=place, XDG_CACHE_HOME=folder, **s3.environment)
            kill_after(begin(tmp_path / "one", server, s3), 3, tmp_path / "one")
            finished = versions(s3)
            kill_after(begin(tmp_path / "two", server, s3, f"--cluster={cluster.address}"), 6, tmp_path / "two")
            third = begin(tmp_path / "three", server, s3)
            assert third.wait(timeout=600) == 0, (tmp_path / "three/log").read_text()
            assert finished.items() <= versions(s3).items(), "something was computed again"
        finally:
            cluster.close()
    [metrics] = (tmp_path / "three").glob("mnist_models/*/latest/metrics.json")
    assert timeless(json.loads(metrics.read_text())) == untouched
    logs = [path.read_text() for path in tmp_path.rglob("log") if path.parent.name != "s3"]
    assert not [text for text in logs if SECRET in text]
