"""A run that is killed, stopped and doubled ends as one that was never touched: real signals, a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from running.ports import free_port
from tests.conftest import ROOT, TINY, prefect_server
from tests.flows.test_pipeline import timeless
from tests.processes import processes


class Running:
    """The pipeline as a process, in a group of its own."""

    def __init__(self, store: Path, server: str, name: str) -> None:
        self.log = store.parent / f"{name}.log"
        self.mark = f"STOPPING_TEST={self.log}"
        environment = {**os.environ, "PREFECT_API_URL": server, "STOPPING_TEST": str(self.log)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "flows/full_pipeline.py"), *TINY, "--store", str(store)],
                env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def family(self) -> list[int]:
        """The process and all it started, which inherited its environment."""
        return processes(self.mark)

    def workers(self) -> list[int]:
        return [pid for pid in self.family() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def text(self) -> str:
        return self.log.read_text()


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def run_states(server: str) -> dict[str, str]:
    """All flow and task runs of a server."""
    states: dict[str, str] = {}
    for kind in ("flow_runs", "task_runs"):
        offset = 0
        while batch := httpx.post(f"{server}/{kind}/filter", json={"limit": 200, "offset": offset}).json():
            states |= {run["id"]: run["state_type"] for run in batch}
            offset += len(batch)
    return states


def trials(store: Path) -> list[Path]:
    return list((store / "results").glob("trial-*"))


def test_killed_stopped_and_doubled(
    tmp_path: Path, server: str, first: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    untouched = timeless(json.loads((first[0] / "latest/metrics.json").read_text()))
    store = tmp_path / "store"

    before = run_states(server)
    stopped = Running(store, server, "stopped")
    wait_for(lambda: trials(store))
    os.kill(stopped.workers()[0], signal.SIGKILL)  # costs one task a retry
    wait_for(lambda: len(trials(store)) > 4)
    stopped.process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert stopped.process.wait(timeout=20) == 130
    assert time.monotonic() - start < 10
    wait_for(lambda: not stopped.family(), 10)
    assert "The same command goes on from what is kept in" in stopped.text().splitlines()[-1]
    assert "ERROR" not in stopped.text()
    final = {"COMPLETED", "CANCELLED"}  # the server records task runs' states a while after it was told

    def states() -> set[str]:
        return {state for run, state in run_states(server).items() if run not in before}

    wait_for(lambda: states() <= final, 20)
    assert "CANCELLED" in states()

    finished = {path: path.stat().st_mtime_ns for path in trials(store)}
    second = Running(store, server, "second")
    wait_for(lambda: len(trials(store)) > len(finished) + 2)
    second.process.kill()
    second.process.wait()
    wait_for(lambda: not second.family(), 30)
    assert "damaged" not in second.text()

    together = [Running(store, server, name) for name in ("third", "fourth")]
    for run in together:
        assert run.process.wait(timeout=600) == 0, run.text()
    assert re.search(
        r"waiting for \w+ quick, process \d+, which computes the same", "".join(r.text() for r in together)
    )
    assert timeless(json.loads((store / "latest/metrics.json").read_text())) == untouched
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert not list((store / "checkpoints").rglob("*.npz"))
    assert not list(store.rglob("*.tmp"))


def test_sigterm_and_a_second_signal(tmp_path: Path, server: str) -> None:
    store = tmp_path / "store"
    run = Running(store, server, "run")
    wait_for(lambda: trials(store))
    run.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    run.process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    assert run.process.wait(timeout=20) == 130
    assert time.monotonic() - start < 5
    wait_for(lambda: not run.family(), 30)
    assert "Stopping at SIGTERM" in run.text()


@pytest.mark.slow
def test_a_server_that_goes_and_comes_back(
    tmp_path: Path, first: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    untouched = timeless(json.loads((first[0] / "latest/metrics.json").read_text()))
    store, port = tmp_path / "store", free_port()
    with prefect_server(tmp_path, port) as url:
        run = Running(store, url, "run")
        wait_for(lambda: len(trials(store)) > 2)
    finished = {path: path.stat().st_mtime_ns for path in trials(store)}
    time.sleep(5)
    with prefect_server(tmp_path, port) as url:
        status = run.process.wait(timeout=600)
        if status != 0:  # it could not go on without its server; nothing that was finished is lost
            assert "The same command goes on from" in run.text()
            again = Running(store, url, "again")
            assert again.process.wait(timeout=600) == 0, again.text()
    assert timeless(json.loads((store / "latest/metrics.json").read_text())) == untouched
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
