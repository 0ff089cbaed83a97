"""The one-machine way: one process that deploys all of prefect.yaml and runs what is due, one run at a time.

    export PREFECT_API_URL=http://127.0.0.1:4200/api     # of `make ui`
    python deployments/serve.py nightly weekly           # and switches on the schedules of these two

Without names, schedules stay as they are: off at first. Ctrl-C stops it; the next run resumes from the store.
"""

from __future__ import annotations

import os
import sys

from deployments.setup import POOL, PREFECT, command_line, set_up


def main() -> None:
    """Becomes Prefect's worker once all is set up, and serves until it is stopped."""
    arguments = command_line(__doc__)
    set_up(arguments.on, arguments.silence)
    command = [*PREFECT, "worker", "start", "--pool", POOL, "--name", "serve", "--limit", "1"]
    os.execve(sys.executable, command, {"DO_NOT_TRACK": "1", **os.environ})


if __name__ == "__main__":
    main()
