"""The production shape as an operator runs it: PostgreSQL, a server with authentication, a worker; killed, resumed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from deployments import postgres
from mnist_models.data.preprocessing import EMBEDDED
from mnist_models.foundation.store import Store as Champions
from running.command_line import parse_command_line
from running.ports import free_port, is_taken
from running.recorder import IN_BATCHES
from tests.conftest import ROOT, TINY, Run
from tests.processes import processes

AUTHENTICATION = ("operator", "only for this test")
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SILENCE = 40  # seconds; a heartbeat comes every 30


class Stack:
    """`deployments/stack.py`, and what a client of it sees."""

    def __init__(self, home: Path, store: Path) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{free_port()}/api"
        self.model_port = free_port()
        self.mark = f"OPERATIONS_TEST={home}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
        environment |= {"PREFECT_SERVER_API_AUTH_STRING": ":".join(AUTHENTICATION), "OPERATIONS_TEST": str(home)}
        environment["MNIST_STORE"] = str(store)  # which its own runs are told otherwise
        if not has_postgres():
            environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{home}/prefect.db"
        command = [sys.executable, str(ROOT / "deployments/stack.py"), "--home", str(home), "--silence", str(SILENCE)]
        command += ["--model-port", str(self.model_port)]
        with (home / "stack.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", self.url.rpartition(":")[2].removesuffix("/api")],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def log(self) -> str:
        return "\n".join(path.read_text() for path in self.home.glob("*.log"))

    def family(self, part: str = "") -> list[int]:
        """The stack and all it started, which inherited its environment; of them those with a word in their command."""
        found = []
        for pid in processes(self.mark):
            with contextlib.suppress(OSError):
                if part in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                    found.append(pid)
        return found

    def call(self, path: str, content: dict[str, Any] | None = None) -> Any:
        answer = httpx.post(f"{self.url}{path}", json=content or {}, auth=AUTHENTICATION, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def trigger(self, deployment: str, settings: dict[str, Any]) -> str:
        name = f"full_pipeline/{deployment}" if deployment in ("nightly", "weekly") else f"{deployment}/{deployment}"
        found = httpx.get(f"{self.url}/deployments/name/{name}", auth=AUTHENTICATION).json()
        run = self.call(f"/deployments/{found['id']}/create_flow_run", {"parameters": {"settings": settings}})
        return str(run["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        content: dict[str, Any] = httpx.get(f"{self.url}/flow_runs/{run_id}", auth=AUTHENTICATION).json()
        return content

    def ends(self, run_id: str, seconds: float = 240) -> dict[str, Any]:
        wait_for(lambda: self.run(run_id)["state_type"] in FINAL, seconds)
        return self.run(run_id)

    def task_runs(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
        return found


def has_postgres() -> bool:
    with contextlib.suppress(postgres.PostgresError):
        return bool(postgres.binaries())
    return False


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def stack(champion: Champions) -> Iterator[Stack]:
    home = Path(
        tempfile.mkdtemp(prefix="stack-")
    )  # pytest's own folders are too deep for a socket, and closed to others
    home.chmod(0o755)
    running = Stack(home, champion.root)
    try:
        wait_for(lambda: "is up" in running.log() or running.process.poll() is not None)
        assert running.process.poll() is None, running.log()
        yield running
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(120)
        assert running.family() == [], running.log()
    finally:
        for pid in running.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that a killed run leaves to the tests after it."""
    return tmp_path_factory.mktemp("store")


def tiny(store: Path, **changes: Any) -> dict[str, Any]:
    return {**parse_command_line(TINY).model_dump(mode="json", exclude={"data"}), "store": str(store), **changes}


def test_the_server_keeps_its_runs_in_postgresql(stack: Stack) -> None:
    if not has_postgres():
        pytest.skip("no PostgreSQL here; Debian: apt install postgresql")
    program = postgres.binaries() / "psql"
    query = [
        str(program),
        "-h",
        str(stack.home / "postgres"),
        "-U",
        postgres.DATABASE,
        "-tAc",
        "select name from deployment",
    ]
    names = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    assert {"nightly", "weekly", "monthly", "cnn_bayesian"} <= set(names)


def test_the_server_stores_states_in_batches(stack: Stack) -> None:
    settings = httpx.get(f"{stack.url}/admin/settings", auth=AUTHENTICATION).json()
    recorder = settings["server"]["services"]["task_run_recorder"]
    assert recorder["batch_size"] == int(IN_BATCHES["PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE"]) > 1


def test_nobody_comes_in_without_the_password(stack: Stack) -> None:
    for authentication in (None, ("operator", "guessed")):
        assert httpx.post(f"{stack.url}/flow_runs/filter", json={}, auth=authentication).status_code == 401
    assert httpx.post(f"{stack.url}/flow_runs/filter", json={}, auth=AUTHENTICATION).status_code == 200


def test_the_stack_has_a_server_of_the_model(stack: Stack) -> None:
    wait_for(lambda: is_taken("127.0.0.1", stack.model_port), 30)
    url = f"http://127.0.0.1:{stack.model_port}"
    assert "canvas" in httpx.get(f"{url}/").text
    with np.load(EMBEDDED) as data:
        digits = {"images": data["x_test"][:20].tolist()}
        labels = data["y_test"][:20]
    answers = httpx.post(f"{url}/predict", json=digits, timeout=30).json()["answers"]
    assert np.mean([int(one["label"]) == label for one, label in zip(answers, labels, strict=True)]) >= 0.9


def test_a_stack_without_a_password_does_not_start(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    for value in ({}, {"PREFECT_SERVER_API_AUTH_STRING": "operator:"}):
        command = [sys.executable, str(ROOT / "deployments/stack.py"), "--home", str(tmp_path / "stack")]
        done = subprocess.run(command, env=environment | value, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "expected PREFECT_SERVER_API_AUTH_STRING=user:password" in done.stderr


@pytest.mark.parametrize("script", ["deployments/stack.py", "deployments/demo.py", "running/ui.py", "running/serve.py"])
def test_a_taken_port_is_refused(script: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {**os.environ, "PREFECT_SERVER_API_AUTH_STRING": "operator:any", "PREFECT_HOME": str(tmp_path)}
        command = [sys.executable, str(ROOT / script), "--port", port]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr


def test_setup_says_that_the_password_is_wrong(stack: Stack, run_script: Run) -> None:
    done = run_script(
        "deployments/setup.py", PREFECT_API_URL=stack.url, PREFECT_API_AUTH_STRING="operator:guessed", DO_NOT_TRACK="1"
    )
    assert done.returncode == 2
    assert "401" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_ui_on_a_terminal_asks_nothing_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(tmp_path), "TERM": "xterm"}
    command = [sys.executable, str(ROOT / "running/ui.py"), "--no-browser", "--port", str(free_port())]
    ours, its = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    said = b""
    try:
        while b"The runs: " not in said:
            assert select.select([ours], [], [], 60)[0], said
            said += os.read(ours, 4096)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        with contextlib.suppress(OSError):  # it closes with its last process
            while more := os.read(ours, 4096):
                said += more
        assert process.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        os.close(ours)
    assert b"Traceback" not in said


@pytest.mark.slow
def test_killed_crashed_resumed(stack: Stack, store: Path) -> None:
    """The worker and the flow are killed in mid-study; two more triggers overlap meanwhile, and one resumes."""
    settings = tiny(store, bayesian_trials=6, bayesian_epochs=8, cnn_epochs=1)
    killed = stack.trigger("cnn_bayesian", settings)
    wait_for(lambda: len(list((store / "results").glob("trial-*"))) >= 2)
    finished = {path: path.stat().st_mtime_ns for path in (store / "results").glob("trial-*")}
    for part in ("worker start", "prefect.engine"):
        for pid in stack.family(part):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not stack.family("spawn_main"), 30)
    waiting = [stack.trigger("cnn_bayesian", settings) for _ in range(2)]
    assert stack.ends(killed, SILENCE + 90)["state_type"] == "CRASHED"
    assert "No heartbeat" in stack.run(killed)["state"]["message"]
    failures = {"artifacts": {"key": {"any_": ["failures"]}}}
    wait_for(lambda: stack.call("/artifacts/filter", failures), 30)
    assert (
        f"{stack.url.removesuffix('/api')}/runs/flow-run/{killed}"
        in stack.call("/artifacts/filter", failures)[0]["data"]
    )
    runs = [stack.ends(run) for run in waiting]
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 2
    times = sorted((run["start_time"], run["end_time"]) for run in runs)
    assert times[0][1] <= times[1][0], "they ran at the same time"
    first = min(runs, key=lambda run: run["start_time"])
    trials = [run for run in stack.task_runs(first["id"]) if " trial " in run["name"]]
    assert len(trials) == (6 + 1) + (2 + 1)  # at both rungs, and what the search starts from
    assert {run["state_name"] for run in trials} == {"Cached", "Completed"}
    assert all(" · val_loss " in run["name"] for run in trials)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    everything = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    assert AUTHENTICATION[1].encode() not in everything
    assert AUTHENTICATION[1] not in stack.log()


@pytest.mark.slow
def test_cancelled_in_the_ui(stack: Stack, tmp_path: Path) -> None:
    run = stack.trigger("fully_connected_grid", tiny(tmp_path / "store", grid_trials=60))
    wait_for(lambda: list((tmp_path / "store" / "results").glob("trial-*")))
    stack.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert stack.ends(run, 60)["state_type"] == "CANCELLED"
    wait_for(lambda: not stack.family("spawn_main"), 30)
    assert {task["state_type"] for task in stack.task_runs(run)} <= {"COMPLETED", "CANCELLED"}


@pytest.mark.slow
def test_a_schedule_fires_by_itself(stack: Stack, store: Path) -> None:
    name = "fully_connected_grid"
    deployment = httpx.get(f"{stack.url}/deployments/name/{name}/{name}", auth=AUTHENTICATION).json()
    chosen = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    assert stack.call("/flow_runs/filter", chosen) == []
    schedule = {"schedule": {"interval": 5.0}, "active": True, "parameters": {"settings": tiny(store)}}
    path = f"{stack.url}/deployments/{deployment['id']}/schedules"
    [created] = httpx.post(path, json=[schedule], auth=AUTHENTICATION).json()
    try:
        wait_for(lambda: stack.call("/flow_runs/filter", chosen), 180)
    finally:
        httpx.delete(f"{path}/{created['id']}", auth=AUTHENTICATION)
    assert "auto-scheduled" in stack.call("/flow_runs/filter", chosen)[0]["tags"]
    assert list((store / "results").glob("study-*"))
