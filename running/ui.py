"""Starts Prefect's server and opens its UI on what the runs did, those without a server of their own included.

    python running/ui.py            # or: make ui

It has no password: it listens on this machine only. Where others can reach it, use deployments/stack.py.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import threading
import time
import urllib.request
import webbrowser

from running.ports import is_taken
from running.recorder import IN_BATCHES
from running.sqlite_server import serve


def main() -> None:
    """Serves until Ctrl-C comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4200, help="of the server (default: 4200)")
    parser.add_argument("--no-browser", action="store_true", help="only say where the UI is")
    arguments = parser.parse_args()
    if is_taken("127.0.0.1", arguments.port):
        parser.error(f"port {arguments.port} is taken, by another server perhaps; --port chooses another")
    url = f"http://127.0.0.1:{arguments.port}"
    for name, value in {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", **IN_BATCHES}.items():
        os.environ.setdefault(name, value)
    os.environ["PREFECT_UI_API_URL"] = "/api"  # else the UI looks for the server at PREFECT_API_URL, or port 4200
    threading.Thread(target=_open, args=(url, not arguments.no_browser), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        serve(socket.create_server(("127.0.0.1", arguments.port)))


def _open(url: str, browser: bool) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=5):
                break
        except OSError:
            time.sleep(0.3)
    sys.stderr.write(f"The runs: {url}/runs\nRun with it: export PREFECT_API_URL={url}/api\n")
    if browser:
        webbrowser.open(f"{url}/runs")


if __name__ == "__main__":
    main()
