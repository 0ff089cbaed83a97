"""One work pool and two machines, which share nothing but the server and objects: at once, and when one is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from running.command_line import parse_command_line
from running.ports import free_port
from tests.conftest import ROOT, TINY, prefect_server
from tests.deployments.test_operations import FINAL, SILENCE, wait_for
from tests.flows.test_elsewhere import STORE, open_store, versions
from tests.flows.test_pipeline import timeless
from tests.machines import Machine, address, machines
from tests.processes import processes
from tests.s3_server import SECRET, S3Server, s3_server

CHECKOUT = """
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $MNIST_CHECKOUT }}"
"""


class Host:
    """A machine with a worker of the pool: home, checkout and copies of objects lie in a folder of its own.

    Args:
        name: Of the worker.
        folder: Of all that is the machine's.
        machine: Its network; this machine's if None.
        environment: By which it finds the server and the objects.
    """

    def __init__(self, name: str, folder: Path, machine: Machine | None, environment: dict[str, str]) -> None:
        self.folder, self.machine = folder, machine
        self._cut = contextlib.ExitStack()
        for room in ("flows", "running", "tasks", "mnist_models"):
            shutil.copytree(ROOT / room, folder / "checkout" / room, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "temporary").mkdir()
        own = {"XDG_CACHE_HOME": "cache", "PREFECT_HOME": "prefect", "TMPDIR": "temporary"}
        own |= {"PYTHONPATH": "checkout", "MNIST_CHECKOUT": "checkout"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
        mine = {name: str(folder / value) for name, value in own.items()}
        often = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
        worker = ("-m", "prefect", "worker", "start", "--pool=mnist", "--limit=1", "--type=process", f"--name={name}")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*(machine.enter if machine else ()), sys.executable, *worker],
                cwd=folder, env={**inherited, **environment, **mine, **often}, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def took(self, run_id: str) -> bool:
        """Whether its worker started a run: it tries to again where the server has it wait, or gave it to another."""
        tries, refusals = (f"{word} flow run '{run_id}'" for word in ("submitting", "Aborted submission of"))
        return self.log().count(tries) > self.log().count(refusals)

    def lose(self) -> None:
        """Ends all that runs there at once; where it has a network, nobody is told."""
        if self.machine:
            self._cut.enter_context(self.machine.cut())
        self._kill()

    def close(self) -> None:
        self._kill()
        self._cut.close()

    def _kill(self) -> None:
        while running := processes(f"XDG_CACHE_HOME={self.folder / 'cache'}"):
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Pool:
    """The server, as a client of it sees it, and the machines that work for it."""

    def __init__(self, url: str, hosts: list[Host]) -> None:
        self.url, self.hosts = url, hosts

    def find(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.url}/{kind}/filter", json=filters, timeout=30).raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def trigger(self, deployment: str) -> str:
        """Starts one with the settings of a tiny run, which say no store."""
        settings = parse_command_line(TINY).model_dump(mode="json", exclude={"data", "store"})
        [found] = self.find("deployments", deployments={"name": {"any_": [deployment]}})
        path = f"{self.url}/deployments/{found['id']}/create_flow_run"
        answer = httpx.post(path, json={"parameters": {"settings": settings}}, timeout=30).raise_for_status()
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        content: dict[str, Any] = httpx.get(f"{self.url}/flow_runs/{run_id}", timeout=30).json()
        return content

    def end(self, run_id: str) -> dict[str, Any]:
        wait_for(lambda: self.run(run_id)["state_type"] in FINAL, 400)
        return self.run(run_id)

    def host_of(self, run_id: str) -> Host:
        """The only one whose worker took it."""
        [host] = [host for host in self.hosts if host.took(run_id)]
        return host

    def tasks(self, run_id: str) -> dict[str, list[str]]:
        """The names of the states of its task runs and of those of its stages, by their names without scores."""
        states = defaultdict(list)
        flows = [run_id]
        for flow in flows:  # which finds those that are added
            stages = self.find("flow_runs", flow_runs={"parent_flow_run_id": {"any_": [flow]}})
            flows += [stage["id"] for stage in stages]
        for task in self.find("task_runs", flow_runs={"id": {"any_": flows}}):
            states[task["name"].partition(" · ")[0]].append(task["state_name"])
        return states


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[Pool, S3Server]]:
    with contextlib.ExitStack() as stack:
        places = stack.enter_context(machines(11, 12))
        s3 = stack.enter_context(s3_server(folder / "s3", address(places)))
        (folder / "server").mkdir()
        url = stack.enter_context(prefect_server(folder / "server", free_port(), address(places)))
        deploy(folder, url)
        environment = {**s3.environment, "PREFECT_API_URL": url, "MNIST_STORE": STORE}
        hosts = []
        for name, place in zip(("one", "two"), places, strict=True):
            hosts.append(Host(name, folder / name, place, environment))
            stack.callback(hosts[-1].close)
        pool = Pool(url, hosts)
        wait_for(lambda: len(pool.find("work_pools/mnist/workers")) == len(hosts), 300)
        yield pool, s3


def deploy(folder: Path, url: str) -> None:
    """As `deployments/setup.py` does, but for checkouts whose place is the machine's."""
    file = folder / "prefect.yaml"
    file.write_text((ROOT / "deployments/prefect.yaml").read_text() + CHECKOUT)
    for command in (
        ("-m", "prefect", "work-pool", "create", "mnist", "--type=process"),
        ("-m", "prefect", "--no-prompt", "deploy", "--all", f"--prefect-file={file}"),
        ("deployments/automations.py", f"--silence={SILENCE}"),
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env={**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(folder / "server")}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def trials(s3: S3Server) -> int:
    """How many are finished."""
    return sum(name.startswith("results/trial-") for name, _ in open_store(s3).sizes("results"))


@pytest.mark.slow
def test_two_machines_work_at_once_and_one_goes_on_where_the_other_was_lost(
    tmp_path: Path, first: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    untouched = timeless(json.loads((first[0] / "latest/metrics.json").read_text()))
    with started(tmp_path) as (pool, s3):
        # at once, with a data set that both need
        both = [pool.trigger(name) for name in ("fully_connected_hyperband", "cnn_augmentation")]
        runs = [pool.end(run) for run in both]
        assert [run["state_type"] for run in runs] == ["COMPLETED"] * 2, [host.log() for host in pool.hosts]
        assert max(run["start_time"] for run in runs) < min(run["end_time"] for run in runs)
        assert {pool.host_of(run) for run in both} == set(pool.hosts)
        tasks = [pool.tasks(run) for run in both]
        for name in ("preprocess mnist.npz", "look at the data"):
            assert sorted(state for each in tasks for state in each[name]) == ["Cached", "Completed"]

        # in the middle of the pipeline, which finds those searches, its machine is lost; the next trigger goes on
        known = trials(s3)
        killed = pool.trigger("nightly")
        wait_for(lambda: trials(s3) >= known + 3, 300)
        lost = pool.host_of(killed)
        lost.lose()
        finished = versions(s3)
        [left] = set(pool.hosts) - {lost}
        following = pool.trigger("nightly")
        state = pool.end(killed)["state"]
        assert (state["type"], state["message"][:12]) == ("CRASHED", "No heartbeat")
        assert pool.end(following)["state_type"] == "COMPLETED", left.log()
        assert pool.host_of(following) is left
        found = pool.tasks(following)
        for study in ("fully_connected_hyperband", "cnn_bayesian", "cnn_augmentation"):
            assert found[f"study {study}"] == ["Cached"]
        assert finished.items() <= versions(s3).items(), "something was computed again"
    [metrics] = left.folder.glob("cache/mnist_models/*/latest/metrics.json")
    assert timeless(json.loads(metrics.read_text())) == untouched
    logs = [path.read_text() for path in tmp_path.rglob("*log") if "s3" not in path.parts]
    assert not [text for text in logs if SECRET in text]
