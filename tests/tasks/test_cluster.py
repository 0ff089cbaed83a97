"""A cluster: a real scheduler, real workers in folders of their own, and what happens when some die or will not do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_models.foundation.files import write_atomic
from tasks.cluster.dask import ClusterError, DaskWorkers
from tasks.workers.interface import Turn, WorkersClosedError, Workplace
from tests.clusters import Cluster
from tests.machines import Machine, permitted


def wait_for_workers(workers: DaskWorkers, count: int) -> None:
    deadline = time.monotonic() + 120
    while workers.count != count:
        assert time.monotonic() < deadline, f"{workers.count} workers"
        time.sleep(0.1)


def never() -> None:
    raise AssertionError("the scheduler lives")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers that will do."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.add_worker()
        cluster.add_worker()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def workers(cluster: Cluster, tmp_path: Path) -> Iterator[DaskWorkers]:
    workers = DaskWorkers(cluster.place(tmp_path), never)
    wait_for_workers(workers, 2)
    yield workers
    workers.close()


def test_workers_are_counted_rightly_while_the_client_asks_for_none_of_them(workers: DaskWorkers) -> None:
    """Dask's client refreshes what it knows of the scheduler every two seconds, without workers."""
    client, done = workers._client, threading.Event()

    def refresh() -> None:
        while not done.is_set():
            client.sync(client._update_scheduler_info)

    with ThreadPoolExecutor() as threads:
        refreshing = threads.submit(refresh)
        counts = {workers._count() for _ in range(300)}
        done.set()
        refreshing.result()
    assert counts == {2}


def test_a_function_runs_elsewhere_and_its_error_is_the_callers(workers: DaskWorkers) -> None:
    begun: list[bool] = []
    here = workers.run(Turn(begun=lambda: begun.append(True)), os.getpid)
    assert here != os.getpid()
    assert workers.run(Turn(), eval, "'keras' in __import__('sys').modules")
    with pytest.raises(ZeroDivisionError):
        workers.run(Turn(), divmod, 1, 0)
    assert begun == [True]


def test_a_worker_that_dies_costs_its_own_task_only_and_another_does_it(workers: DaskWorkers, tmp_path: Path) -> None:
    """The first try waits for its end; the second finds that there was a first."""
    mark = tmp_path / "mark"
    code = f"(p := __import__('pathlib').Path({str(mark)!r})).exists() and 'done' or [p.write_text(str(__import__('os').getpid())), __import__('time').sleep(60)]"  # noqa: E501
    with ThreadPoolExecutor(2) as threads:
        doomed = threads.submit(workers.run, Turn(), eval, code)
        other = threads.submit(workers.run, Turn(), time.sleep, 3)
        while not mark.exists() or not mark.read_text():
            time.sleep(0.05)
        os.kill(int(mark.read_text()), signal.SIGKILL)
        assert doomed.result(timeout=60) == "done"
        assert other.result() is None
    wait_for_workers(workers, 2)  # its nanny has started another


def test_the_lowest_priority_number_is_served_first(workers: DaskWorkers) -> None:
    order: list[int] = []

    def work(priority: int) -> None:
        workers.run(Turn(priority), time.sleep, 0.3)
        order.append(priority)

    blockers = [threading.Thread(target=workers.run, args=(Turn(), time.sleep, 1 + i)) for i in range(2)]
    for thread in blockers:
        thread.start()
    time.sleep(0.3)
    threads = [threading.Thread(target=work, args=(priority,)) for priority in (3, 1, 2)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in [*blockers, *threads]:
        thread.join()
    assert order == [1, 2, 3]


def test_closing_ends_work_and_its_workers_leave_it(cluster: Cluster, workers: DaskWorkers, tmp_path: Path) -> None:
    before = DaskWorkers(cluster.place(tmp_path), never)
    code = "[__import__('pathlib').Path({!r}).write_text(str(__import__('os').getpid())), __import__('time').sleep(60)]"
    mark = tmp_path / "mark"
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(before.run, Turn(), eval, code.format(str(mark)))
        while not mark.exists() or not mark.read_text():
            time.sleep(0.05)
        before.close()
        with pytest.raises(WorkersClosedError):
            running.result(timeout=10)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{mark.read_text()}").exists():
        assert time.monotonic() < deadline, "it trains for nobody"
        time.sleep(0.1)
    with pytest.raises(WorkersClosedError):
        before.run(Turn(), abs, 1)
    wait_for_workers(workers, 2)


def test_one_of_another_precision_is_refused_by_name(
    cluster: Cluster, workers: DaskWorkers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It joins while the run is under way, and is left alone."""
    cluster.add_worker("--nthreads=1", ONEDNN_MAX_CPU_ISA="AVX2")
    with caplog.at_level("WARNING"):
        deadline = time.monotonic() + 120
        while "is refused" not in caplog.text:
            assert time.monotonic() < deadline, "nobody looked at it"
            time.sleep(0.1)
    assert "ONEDNN_MAX_CPU_ISA: expected None, found AVX2" in caplog.text
    with ThreadPoolExecutor(6) as threads:
        pids = set(threads.map(lambda _: workers.run(Turn(), os.getpid), range(12)))
    assert len(pids) <= 2
    os.killpg(cluster.workers.pop().pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_cluster_without_a_worker_that_will_do_is_refused_and_so_is_none(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no answer from tcp://127.0.0.1:1"):
        DaskWorkers(Workplace(0, "tcp://127.0.0.1:1", tmp_path), never)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ClusterError, match="no answer from tcp"):
        DaskWorkers(Workplace(0, f"tcp://127.0.0.1:{silent.getsockname()[1]}", tmp_path), never)
    alone = Cluster(tmp_path / "alone")
    try:
        alone.add_worker("--nthreads=2")
        deadline = time.monotonic() + 60
        while True:
            try:
                DaskWorkers(alone.place(tmp_path), never).close()  # nobody has joined yet
            except ClusterError as error:
                if "nthreads 1" in str(error):
                    break
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        alone.close()


@pytest.mark.slow
def test_the_schedulers_death_is_told_and_ends_the_work(tmp_path: Path) -> None:
    lost = threading.Event()
    mortal = Cluster(tmp_path / "mortal")
    try:
        mortal.add_worker()
        workers = DaskWorkers(mortal.place(tmp_path), lost.set)
        wait_for_workers(workers, 1)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(workers.run, Turn(), time.sleep, 60)
            time.sleep(1)
            os.killpg(mortal.scheduler.pid, signal.SIGKILL)
            with pytest.raises(WorkersClosedError):
                running.result(timeout=60)
        assert lost.is_set()
        workers.close()
    finally:
        mortal.close()


@pytest.mark.slow
@pytest.mark.skipif(not permitted(), reason="network namespaces are not permitted here")
def test_a_worker_whose_network_is_cut_is_given_up_and_comes_back(tmp_path: Path) -> None:
    """Nobody is told that packets are lost; another worker does its task, and it works again once they are not."""
    machines = [Machine(number) for number in (1, 2)]
    patience = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s"}
    divided = Cluster(tmp_path / "divided", machines[0].here, **patience)
    mark = tmp_path / "mark"
    try:
        for machine in machines:
            divided.add_worker(machine=machine)
        workers = DaskWorkers(divided.place(tmp_path), never)
        wait_for_workers(workers, 2)
        with ThreadPoolExecutor(1) as threads:
            task = threads.submit(workers.run, Turn(), namespaced, mark)
            while not mark.exists():
                time.sleep(0.05)
            [there] = [machine for machine in machines if f"inet {machine.there}/" in mark.read_text()]
            with there.cut():
                assert task.result(timeout=90) == "by another"
        wait_for_workers(workers, 2)
        workers.close()
    finally:
        divided.close()
        for machine in machines:
            machine.remove()


def namespaced(mark: Path) -> str:
    """Says which machine was first, and stays there; the second is done at once."""
    if mark.exists():
        return "by another"
    write_atomic(mark, subprocess.run(["ip", "addr"], capture_output=True, check=True).stdout)
    time.sleep(300)
    return "by the first"
