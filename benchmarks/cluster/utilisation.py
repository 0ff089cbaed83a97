"""How busy a cluster's workers are, and what handing out a trial costs the flow.

    python -m benchmarks.cluster.utilisation [--quick] [--json FILE] [--plot FILE] [--workers 64 256] [--seconds 20]

A real scheduler and real connections. Processes of this machine hold 32 workers each, and their trials sleep as long as
real ones take, as there are no hundreds of machines here. As in a study with `--window auto`, twice as many trials are
open as there are workers; their lengths differ by a tenth up and down. The last trials of all are left out of
utilisation: it is of the time in which there were more trials than workers. What Prefect does for each is not in it:
`benchmarks.cluster.many_trials` measures that.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.cluster.machines import machines
from benchmarks.cluster.utilisation_plot import plot
from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report
from tasks.cluster.dask import DaskWorkers
from tasks.workers.interface import Turn, Workplace

JOIN = 300.0  # seconds in which all workers join
DISPATCH = {256: 5.0}  # milliseconds a trial
UTILISATION = {64: 95.0, 256: 90.0}  # %


def main(options: argparse.Namespace) -> None:
    """Measures each number of workers."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    shares: dict[int, float] = {}
    for count in [4] if options.quick else options.workers:
        busy, cost = measure(count, 1.0 if options.quick else options.seconds, options.rounds)
        shares[count] = busy
        figures += [
            Figure(f"{count} workers: utilisation", "%", [busy]),
            Figure(f"{count} workers: flow", "ms", [cost]),
        ]
        claims.append(at_least(f"{count} workers: utilisation, %", busy, 1.0, UTILISATION.get(count, 0.0)))
        if count in DISPATCH:
            claims.append(at_most(f"{count} workers: dispatch, ms a trial", cost, DISPATCH[count]))
    report("Cluster", figures, claims, options)
    if options.plot:
        plot(shares, UTILISATION, options.seconds, options.plot)


def measure(count: int, seconds: float, rounds: int) -> tuple[float, float]:
    """Returns the share of the time in which the workers worked, %, and the flow's CPU time a trial, ms."""
    chance = random.Random(1)
    lengths = [seconds * chance.uniform(0.9, 1.1) for _ in range(count * rounds)]
    with (
        tempfile.TemporaryDirectory() as store,
        machines(count) as address,
        ThreadPoolExecutor(2 * count) as threads,
    ):
        workers = DaskWorkers(Workplace(0, address, Path(store)), lambda: None)
        _wait_for(workers, count)
        list(threads.map(lambda _: workers.run(Turn(), abs, 1), range(2 * count)))  # all connections are open
        used, start = time.process_time(), time.time()
        spans = list(threads.map(lambda length: workers.run(Turn(), sleep, length), lengths))
        used = time.process_time() - used
        workers.close()
    return utilisation(spans, count, start), 1000 * used / len(lengths)


def utilisation(spans: list[tuple[float, float]], count: int, start: float) -> float:
    """Returns the share of the time in which so many workers worked, %, while there were more trials than workers.

    Args:
        spans: When each trial began and ended, seconds.
        count: Of the workers.
        start: From when on.
    """
    end = sorted(end for _, end in spans)[-count]
    worked = sum(min(stop, end) - min(begin, end) for begin, stop in spans)
    return 100 * worked / (count * (end - start))


def sleep(seconds: float) -> tuple[float, float]:
    """A trial: returns when it began and when it ended."""
    begin = time.time()
    time.sleep(seconds)
    return begin, time.time()


def _wait_for(workers: DaskWorkers, count: int) -> None:
    deadline = time.monotonic() + JOIN
    while workers.count < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Expected {count} workers. Received: {workers.count} after {JOIN:.0f} s")
        time.sleep(0.1)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=20.0, help="that a trial takes")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw utilisation by the number of workers")
    parser.add_argument("--rounds", type=int, default=3, help="trials of each worker")
    main(parser.parse_args())
