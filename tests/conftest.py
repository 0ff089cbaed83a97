"""Shared fixtures: real digits, few of them; a real Prefect server."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.processor import choose_kernels
from mnist_models.foundation.store import Store
from running.ports import free_port
from tests.serving import train_champion, train_fruit

ROOT = Path(__file__).parent.parent
LOOPBACK = "127.0.0.1"
TINY = [  # all stages, as small as they go
    "--profile=quick", "--images=600", "--epoch-images=500", "--grid-trials=3", "--grid-epochs=2",
    "--hyperband-max-epochs=3", "--bayesian-trials=3", "--bayesian-epochs=1", "--augmentation-trials=2",
    "--augmentation-epochs=1", "--learning-rate-epochs=1", "--recipe-trials=2", "--recipe-epochs=1", "--cnn-epochs=2",
    "--retraining-epochs=3", "--final-epochs=2", "--baseline-epochs=2",
]  # fmt: skip

Run = Callable[..., subprocess.CompletedProcess[str]]

choose_kernels()  # what tests train in this process is computed as in a worker


@functools.cache
def looks_at_the_finished_run(file: str) -> bool:
    """Whether a file has tests that ask for the fixture `first`."""
    return bool(re.search(r"\bfirst: ", (ROOT / file).read_text()))


class ByFile(LoadFileScheduling):
    """Tests of a file go to one worker, and all files that look at the finished run to one, which makes it once.

    The mark `xdist_group` would say so, but with pytest-xdist 3.8 and pytest 9.2 it does nothing.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "first" if looks_at_the_finished_run(file) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at the finished run takes longest: begun last, it would be waited for."""
    items.sort(key=lambda item: not looks_at_the_finished_run(item.nodeid.partition("::")[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Says how `--numprocesses` shares the tests out."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def dataset(store: Store) -> DatasetReference:
    """600 real digits: 500 to train, 100 to validate; and 100 to test."""
    return preprocess(store, data=None, images=600, seed=1, key="dataset-test")


@contextlib.contextmanager
def prefect_server(home: Path, port: int, host: str = LOOPBACK) -> Iterator[str]:
    """Runs the server of `make ui` with a database of its own; yields the URL of its API, and kills it in the end.

    Elsewhere than on the loopback it may listen for a test only, as it has no password.
    """
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, str(ROOT / "running/ui.py"), "--no-browser", "--port", str(port)]
    if host != LOOPBACK:
        code = f"import socket, running.sqlite_server as s; s.serve(socket.create_server(({host!r}, {port})))"
        command = [sys.executable, "-c", code]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        url = f"http://{host}:{port}/api"
        _wait_for(f"{url}/health", process)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of all tests."""
    with prefect_server(tmp_path_factory.mktemp("prefect"), free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, server: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The store of a finished tiny run on the server, and its process; not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    environment = {**os.environ, "PREFECT_API_URL": server, "PREFECT_HOME": str(folder / "prefect")}
    command = [sys.executable, str(ROOT / "flows/full_pipeline.py"), *TINY, "--store", str(folder / "store")]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "store", done


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a small champion that tells drawings apart; not to be changed."""
    return train_champion(tmp_path_factory.mktemp("champion") / "store")


@pytest.fixture(scope="session")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store whose only champion, `fruit`, tells colour pictures apart; not to be changed."""
    return train_fruit(tmp_path_factory.mktemp("fruit") / "store")


@pytest.fixture
def run_script(tmp_path: Path) -> Run:
    """Runs a script of a checkout as a user would; the home of Prefect is a folder of the test's own."""

    def run(script: str, *arguments: str, root: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
        settings = {**inherited, "PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(root), **environment}
        return subprocess.run(
            [sys.executable, str(root / script), *arguments],
            cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    return run


def _wait_for(url: str, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")
