"""Triggers one deployment many times at once, and checks that all runs end, one at a time, and leave a sound store.

    export PREFECT_API_URL=http://127.0.0.1:4200/api PREFECT_API_AUTH_STRING=…    # of a running `make stack`
    python -m benchmarks.durability.triggers --triggers 20 --store /tmp/store

The exit status is 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from mnist_models.foundation.store import Store
from tasks.caching import discard_damaged

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LOCK_WORDS = ("database is locked", "deadlock", "could not obtain lock", "IntegrityError")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, default=20, help="number of triggers (default: 20)")
    parser.add_argument("--store", type=Path, required=True, help="an empty folder")
    parser.add_argument("--deployment", default="full_pipeline/nightly", help="(default: full_pipeline/nightly)")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds (default: 3600)")
    arguments = parser.parse_args()
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    authentication = httpx.BasicAuth(user, password) if user else None
    with httpx.Client(base_url=os.environ["PREFECT_API_URL"], auth=authentication, timeout=60) as client:
        sys.exit(0 if trigger(client, arguments) else 1)


def trigger(client: httpx.Client, arguments: argparse.Namespace) -> bool:
    """Triggers, waits, checks, and prints what came of it; returns whether all promises were kept."""
    start = time.monotonic()
    deployment = client.get(f"/deployments/name/{arguments.deployment}").raise_for_status().json()["id"]
    content = {"parameters": {"settings": {"profile": "quick", "store": str(arguments.store.resolve())}}}
    with ThreadPoolExecutor(arguments.triggers) as threads:
        made = threads.map(
            lambda _: client.post(f"/deployments/{deployment}/create_flow_run", json=content).raise_for_status().json(),
            range(arguments.triggers),
        )
        chosen = {"flow_runs": {"id": {"any_": [run["id"] for run in made]}}}
    while True:
        runs: list[dict[str, Any]] = client.post("/flow_runs/filter", json=chosen).raise_for_status().json()
        if all(run["state_type"] in FINAL for run in runs) or time.monotonic() - start > arguments.timeout:
            break
        time.sleep(2)
    times = sorted((run["start_time"], run["end_time"]) for run in runs if run["end_time"])
    errors = client.post("/logs/filter", json={"logs": {"level": {"ge_": 40}}, "limit": 200}).json()
    store = Store(arguments.store)
    records = list(store.results.iterdir())
    for record in records:
        discard_damaged(store, record.name)
    checks = {
        "all ended": all(run["state_type"] in FINAL for run in runs),
        "all completed": {run["state_type"] for run in runs} == {"COMPLETED"},
        "one at a time": all(before[1] <= after[0] for before, after in zip(times, times[1:], strict=False)),
        "no lock error in the logs": not any(word in each["message"] for each in errors for word in LOCK_WORDS),
        "every record of the store is sound": all(record.exists() for record in records) and len(records) > 0,
        "no checkpoint or temporary file is left": not [
            *store.root.rglob("*.tmp"),
            *store.root.glob("checkpoints/**/*.npz"),
        ],
    }
    seconds = sorted(run["total_run_time"] for run in runs)
    lines = [
        f"| runs | {dict(Counter(run['state_type'] for run in runs))} |",
        f"| longest run | {seconds[-1]:.0f} s |",
        f"| mean of the others | {sum(seconds[:-1]) / max(len(seconds) - 1, 1):.0f} s |",
        f"| all in all | {time.monotonic() - start:.0f} s |",
        *(f"| {name} | {'yes' if kept else 'NO'} |" for name, kept in checks.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return all(checks.values())


if __name__ == "__main__":
    main()
