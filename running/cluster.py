"""A cluster on this machine, for a first look: `make cluster`, or `python running/cluster.py --workers 2`.

A scheduler and workers as processes, until Ctrl-C. `--cluster tcp://127.0.0.1:8786` has a run train there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCHEDULER, WORKER = "distributed.cli.dask_scheduler", "distributed.cli.dask_worker"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that train")
    parser.add_argument("--port", type=int, default=8786, help="of the scheduler")
    parser.add_argument("--dashboard-port", type=int, default=8787, help="of Dask's page")
    return parser.parse_args(arguments)


def start(options: argparse.Namespace, folder: Path) -> list[subprocess.Popen[bytes]]:
    """Starts the processes, the scheduler first; each notes what it says in the folder."""
    address = f"tcp://127.0.0.1:{options.port}"
    page = f"--dashboard-address=127.0.0.1:{options.dashboard_port}"
    commands = {"scheduler": [SCHEDULER, "--host=127.0.0.1", f"--port={options.port}", page]}
    for number in range(1, options.workers + 1):
        name = f"worker-{number}"
        commands[name] = [WORKER, address, f"--name={name}", "--nthreads=1", "--host=127.0.0.1", "--no-dashboard"]
    return [_start(name, command, folder / name) for name, command in commands.items()]


def _start(name: str, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", *command], cwd=folder, stdout=log, stderr=log)


def main() -> None:
    """Runs the cluster until Ctrl-C, or until its scheduler ends."""
    options = parse()
    folder = Path("artifacts").resolve() / "cluster"
    processes = start(options, folder)
    sys.stdout.write(
        f"scheduler tcp://127.0.0.1:{options.port} with {options.workers} workers, logs in {folder}\n"
        f"Dask's page http://127.0.0.1:{options.dashboard_port}/status\n"
        f"python flows/full_pipeline.py --cluster tcp://127.0.0.1:{options.port}\n"
    )
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while processes[0].poll() is None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait()


if __name__ == "__main__":
    main()
