"""Processes of this machine that stand for many: each holds so many of a cluster's workers, which share its core.

python -m benchmarks.cluster.machines SCHEDULER COUNT
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from running.ports import free_port

WORKERS_EACH = 32  # of a process; they share its connections' thread
RARELY = {  # what a worker does for its own supervision; 256 of them would fill this machine's cores with it
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
START = 120.0  # seconds until the scheduler answers


@contextlib.contextmanager
def machines(workers: int) -> Iterator[str]:
    """Starts a scheduler and so many workers, and yields its address; they join in their own time."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host=127.0.0.1", f"--port={port}", "--no-dashboard"]
    sizes = [min(WORKERS_EACH, workers - first) for first in range(0, workers, WORKERS_EACH)]
    processes = [_start(scheduler)]
    try:
        _wait_for(port)
        processes += [_start(["benchmarks.cluster.machines", address, str(size)]) for size in sizes]
        yield address
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _start(module: list[str]) -> subprocess.Popen[bytes]:
    command, environment = [sys.executable, "-m", *module], {**os.environ, **RARELY}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("the scheduler did not start")
        time.sleep(0.1)


async def work(scheduler: str, count: int) -> None:
    """Holds so many workers until they are ended."""
    from distributed import Worker

    workers = [Worker(scheduler, nthreads=1, memory_limit=0, dashboard=False) for _ in range(count)]
    for worker in workers:
        await worker
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
