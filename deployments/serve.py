"""The one-machine way: serves all deployments of prefect.yaml from this process, one run at a time.

    export PREFECT_API_URL=http://127.0.0.1:4200/api     # of `make ui`
    python deployments/serve.py nightly weekly           # and switches on the schedules of these two

Without names, schedules stay as they are in the UI: off at first. Ctrl-C stops it and the run under way; the next one
resumes from the store.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "deployments" / "prefect.yaml"


def read_deployments() -> list[dict[str, Any]]:
    """Returns the deployments of prefect.yaml."""
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return list(content["deployments"])


def main() -> None:
    """Serves until it is stopped."""
    entries = read_deployments()
    known = [entry["name"] for entry in entries if "schedules" in entry]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("on", nargs="*", metavar="schedule", help=f"schedules to switch on: {', '.join(known)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.on) - set(known):
        parser.error(f"expected schedules out of {', '.join(known)}; received {', '.join(sorted(unknown))}")
    for name, value in entries[0]["work_pool"]["job_variables"]["env"].items():
        os.environ.setdefault(name, value)
    os.chdir(ROOT)
    serve_all(entries, arguments.on)


def serve_all(entries: list[dict[str, Any]], on: list[str]) -> None:
    """Serves deployments.

    Args:
        entries: As `read_deployments` returns them.
        on: Names of those whose schedules are switched on.
    """
    from prefect import serve  # which reads its settings from the environment at import
    from prefect.settings import get_current_settings

    if not get_current_settings().api.url:
        sys.exit("serve.py: expected PREFECT_API_URL, the address of Prefect's server (`make ui`); received none")
    serve(*(_deployment(entry, entry["name"] in on) for entry in entries), limit=1)


def _deployment(entry: dict[str, Any], on: bool) -> Any:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.schedules import Cron

    path, _, name = entry["entrypoint"].partition(":")
    flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
    schedules = [
        Cron(each["cron"], timezone=each["timezone"], slug=each["slug"], active=on)
        for each in entry.get("schedules", [])
    ]
    return flow.to_deployment(
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        parameters=entry["parameters"],
        schedules=schedules or None,
        concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
    )


if __name__ == "__main__":
    main()
