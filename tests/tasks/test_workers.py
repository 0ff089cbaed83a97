"""The pool, with real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_models.foundation.processor import KERNELS
from tasks.workers.interface import Turn, WorkerDiedError, WorkersClosedError
from tasks.workers.local import FEWEST_TASKS, MOST_MEMORY, LocalPool


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    pool = LocalPool(2)
    yield pool
    pool.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_dead(pids: list[int], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.05)


def test_workers_are_other_processes_and_stay(pool: LocalPool) -> None:
    seen = {pool.run(Turn(), os.getpid) for _ in range(6)}
    assert os.getpid() not in seen
    assert seen <= set(pool.processes())


def test_a_worker_holds_nothing_that_only_plots_need_and_can_import_it(pool: LocalPool) -> None:
    assert pool.run(Turn(), eval, "'keras' in __import__('sys').modules")
    assert not pool.run(Turn(), eval, "'matplotlib' in __import__('sys').modules")
    assert pool.run(Turn(), eval, "__import__('matplotlib').__name__") == "matplotlib"


@pytest.mark.skipif(not KERNELS, reason="oneDNN is chosen on x86-64 only")
@pytest.mark.parametrize("said", [None, "0"])
def test_a_worker_computes_with_onednn_unless_it_is_said_otherwise(
    said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KERNELS:
        monkeypatch.delenv(name, raising=False)
        if said is not None:
            monkeypatch.setenv(name, said)
    pool = LocalPool(1)
    enabled = "__import__('tensorflow.python.util._pywrap_util_port', fromlist=['_']).IsMklEnabled()"
    assert pool.run(Turn(), eval, enabled) is (said is None)
    pool.close()


def test_an_error_in_a_function_is_the_callers(pool: LocalPool) -> None:
    before = sorted(pool.processes())
    with pytest.raises(ZeroDivisionError):
        pool.run(Turn(), divmod, 1, 0)
    assert sorted(pool.processes()) == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_dead_worker_costs_its_own_task_only(pool: LocalPool, number: signal.Signals) -> None:
    with ThreadPoolExecutor(2) as threads:
        survivor = threads.submit(pool.run, Turn(), time.sleep, 3)
        time.sleep(0.5)
        pid_asker: Future[int] = threads.submit(pool.run, Turn(), os.getpid)
        victim = pid_asker.result()
        doomed = threads.submit(pool.run, Turn(), time.sleep, 60)
        time.sleep(0.5)
        os.kill(victim, number)
        with pytest.raises(WorkerDiedError):
            doomed.result(timeout=10)
        assert survivor.result() is None
    assert pool.run(Turn(), abs, -2) == 2
    assert victim not in pool.processes()
    assert len(pool.processes()) == 2


def test_a_worker_that_has_grown_too_large_is_replaced_between_two_tasks() -> None:
    pool = LocalPool(1)
    try:
        before = pool.processes()
        assert pool.run(Turn(), exec, f"import builtins; builtins.ballast = b'x' * {MOST_MEMORY}") is None
        for _ in range(FEWEST_TASKS - 2):
            pool.run(Turn(), abs, 1)
        assert pool.processes() == before
        pool.run(Turn(), abs, 1)
        wait_until_dead(before)
        assert pool.run(Turn(), abs, -2) == 2
        assert len(pool.processes()) == 1
        assert pool.processes() != before
    finally:
        pool.close()


def test_the_lowest_priority_number_is_served_first() -> None:
    pool = LocalPool(1)
    order: list[int] = []

    def work(priority: int) -> None:
        pool.run(Turn(priority), time.sleep, 0.05)
        order.append(priority)

    try:
        pool.run(Turn(), abs, 1)
        blocker = threading.Thread(target=pool.run, args=(Turn(), time.sleep, 1))
        blocker.start()
        time.sleep(0.3)
        threads = [threading.Thread(target=work, args=(priority,)) for priority in (3, 1, 2)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in [blocker, *threads]:
            thread.join()
    finally:
        pool.close()
    assert order == [1, 2, 3]


def test_closing_ends_work_at_once() -> None:
    pool = LocalPool(1)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(pool.run, Turn(), time.sleep, 60)
        waiting = threads.submit(pool.run, Turn(), time.sleep, 60)
        time.sleep(1)
        pids = pool.processes()
        start = time.monotonic()
        pool.close()
        for future in (running, waiting):
            with pytest.raises(WorkersClosedError):
                future.result(timeout=10)
        assert time.monotonic() - start < 10
    wait_until_dead(pids)
    with pytest.raises(WorkersClosedError):
        pool.run(Turn(), abs, 1)


def test_workers_end_with_a_killed_flow() -> None:
    code = (
        "import time; from tasks.workers.interface import Turn; from tasks.workers.local import LocalPool\n"
        "pool = LocalPool(2); [pool.run(Turn(), abs, 1) for _ in range(4)]\n"
        "print(*pool.processes(), flush=True); time.sleep(100)"
    )
    flow = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert flow.stdout
    pids = [int(pid) for pid in flow.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    flow.kill()
    flow.wait()
    wait_until_dead(pids)
