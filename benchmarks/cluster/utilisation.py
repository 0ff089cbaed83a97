"""How busy a cluster's workers are, and what handing out a trial costs the flow.

    python -m benchmarks.cluster.utilisation [--quick] [--json FILE] [--workers 64 256] [--seconds 20] [--rounds 3]

A real scheduler and real connections. The workers share one process of this machine, and their trials sleep as long as
real ones take, as there are no hundreds of machines here. The trials come from as many threads as there are workers.
What Prefect does for each is not in it: `benchmarks.speed.overhead` measures that.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report
from tasks.cluster.dask import DaskWorkers
from tasks.workers.interface import Turn, Workplace

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, processes=False, protocol="tcp://",
                           dashboard_address=None, memory_limit=0)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""
DISPATCH = 5.0  # milliseconds a trial
UTILISATION = {64: 95.0, 256: 90.0}  # %


def main(options: argparse.Namespace) -> None:
    """Measures each number of workers."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    for count in [4] if options.quick else options.workers:
        busy, cost = measure(count, 1.0 if options.quick else options.seconds, options.rounds)
        figures += [
            Figure(f"{count} workers: utilisation", "%", [busy]),
            Figure(f"{count} workers: flow", "ms", [cost]),
        ]
        claims.append(at_least(f"{count} workers: utilisation, %", busy, 1.0, UTILISATION.get(count, 0.0)))
        claims.append(at_most(f"{count} workers: dispatch, ms a trial", cost, DISPATCH))
    report("Cluster", figures, claims, options)


def measure(count: int, seconds: float, rounds: int) -> tuple[float, float]:
    """Returns the share of the time in which the workers worked, %, and the flow's CPU time a trial, ms."""
    command = [sys.executable, "-c", CLUSTER, str(count)]
    with (
        tempfile.TemporaryDirectory() as store,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        ThreadPoolExecutor(count) as threads,
    ):
        try:
            assert process.stdout
            workers = DaskWorkers(Workplace(0, process.stdout.readline().strip(), Path(store)), lambda: None)
            while workers.count < count:
                time.sleep(0.1)
            list(threads.map(lambda _: workers.run(Turn(), abs, 1), range(count)))  # all connections are open
            used, start = time.process_time(), time.perf_counter()
            list(threads.map(lambda _: workers.run(Turn(), time.sleep, seconds), range(count * rounds)))
            wall, used = time.perf_counter() - start, time.process_time() - used
            workers.close()
        finally:
            process.kill()
    return 100 * seconds * rounds / wall, 1000 * used / (count * rounds)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=20.0, help="that a trial takes")
    parser.add_argument("--rounds", type=int, default=3, help="trials of each worker")
    main(parser.parse_args())
