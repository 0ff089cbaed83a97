"""Tells Prefect's server all there is: work pool, deployments, automations: `python deployments/setup.py`.

It may be run again at any time, as after a pull. Schedules that are switched on stay on; `prefect deploy` by itself
would switch them off, as the file says.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect.client.orchestration import get_client

from deployments.automations import SILENCE, create_automations, server_url

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
FILE = "deployments/prefect.yaml"
POOL = "mnist"
PREFECT = [sys.executable, "-m", "prefect"]


def read_deployments() -> list[dict[str, Any]]:
    """Returns the deployments of prefect.yaml."""
    content: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text())
    return list(content["deployments"])


def set_up(on: Collection[str] = (), silence: int = SILENCE) -> None:
    """Makes or updates work pool, deployments and automations on the server of PREFECT_API_URL.

    Args:
        on: Schedules to switch on, besides those that are.
        silence: Seconds without a heartbeat after which a run is marked Crashed.

    Raises:
        subprocess.CalledProcessError: If the server refuses.
    """
    active = {*on, *_active_schedules()}
    for command in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["--no-prompt", "deploy", "--all", "--prefect-file", FILE],
    ):
        LOG.info("prefect %s", " ".join(command))
        subprocess.run(
            [*PREFECT, *command],
            cwd=ROOT, env={"DO_NOT_TRACK": "1", **os.environ}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip
    _switch_on(active)
    create_automations(silence)


def command_line(description: str | None) -> argparse.Namespace:
    """Reads the schedules to switch on and the seconds of silence; exits where one is wrong or no server lets us in."""
    known = [entry["name"] for entry in read_deployments() if "schedules" in entry]
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("on", nargs="*", metavar="schedule", help=f"schedules to switch on: {', '.join(known)}")
    parser.add_argument(
        "--silence", type=int, default=SILENCE, help=f"seconds without a heartbeat (default: {SILENCE})"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.on) - set(known):
        parser.error(f"expected schedules out of {', '.join(known)}; received {', '.join(sorted(unknown))}")
    url = server_url(parser)
    try:
        with get_client(sync_client=True) as client:
            client.read_work_pools(limit=1)
    except httpx.HTTPError as error:
        reason = str(error).partition(" for url ")[0]
        parser.error(f"expected a server at {url} that takes the password in PREFECT_API_AUTH_STRING: {reason}")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("deployments").setLevel(logging.INFO)
    LOG.setLevel(logging.INFO)
    return arguments


def _active_schedules() -> set[str]:
    with get_client(sync_client=True) as client:
        found = [schedule for deployment in client.read_deployments() for schedule in deployment.schedules]
    return {schedule.slug for schedule in found if schedule.active and schedule.slug}


def _switch_on(slugs: Collection[str]) -> None:
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            for schedule in deployment.schedules:
                if schedule.slug in slugs and schedule.slug == deployment.name:
                    client.update_deployment_schedule(deployment.id, schedule.id, active=True)
                    LOG.info("schedule %s is on", schedule.slug)


if __name__ == "__main__":
    OPTIONS = command_line(__doc__)
    set_up(OPTIONS.on, OPTIONS.silence)
