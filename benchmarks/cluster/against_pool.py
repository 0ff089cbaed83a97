"""A run on a cluster of this machine against the same run in processes of its own.

    python -m benchmarks.cluster.against_pool [--quick] [--json FILE] [--repetitions 3] [-- options of the pipeline]

Both have as many workers as there are cores, and an empty store; by turns, as processes, from their start to their end.
The cluster's workers were started before and have worked before, as they do for many runs; the pool's are started by
the run. `--profile quick` unless other options are given.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from tests.clusters import Cluster
from tests.conftest import ROOT

SLOWER = 1.03


def main(options: argparse.Namespace) -> None:
    """Runs both by turns."""
    usual = ["--profile=quick", "--exports=none"]
    command = [sys.executable, str(ROOT / "flows/full_pipeline.py"), *(options.options or usual)]
    command += ["--images=600"] if options.quick else []
    with tempfile.TemporaryDirectory(prefix="against-pool-") as name:
        folder = Path(name)
        cluster = Cluster(folder / "cluster")
        try:
            for _ in range(os.cpu_count() or 1):
                cluster.add_worker()
            elsewhere = [*command, f"--cluster={cluster.address}"]
            run([*elsewhere, "--images=600"], folder, "first")
            pairs = [
                (run(command, folder, f"pool-{number}"), run(elsewhere, folder, f"cluster-{number}"))
                for number in range(1 if options.quick else options.repetitions)
            ]
        finally:
            cluster.close()
    figures = [
        Figure("run on this machine's own processes", "s", [pool for pool, _ in pairs]),
        Figure("run on a cluster of this machine", "s", [away for _, away in pairs]),
    ]
    claims: list[Ratio] = [at_most("cluster to pool", figures[1].median / figures[0].median, SLOWER)]
    report("Cluster against pool", figures, claims, options)


def run(command: list[str], folder: Path, name: str) -> float:
    """Returns the seconds that a run takes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
    environment = {**inherited, "PREFECT_HOME": str(folder / f"prefect-{name}"), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(
        [*command, f"--store={folder / name}"], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("options", nargs="*", help="of the pipeline, after --")
    main(parser.parse_args())
