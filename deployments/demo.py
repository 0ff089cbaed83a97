"""Opens the page to draw on, on the store's champion; where there is none yet, a run of a minute makes one meanwhile.

python deployments/demo.py          # or: make demo
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from pathlib import Path

from mnist_models.champion.history import DEFAULT, read_champion
from mnist_models.foundation.store import Store
from running.ports import is_taken

ROOT = Path(__file__).resolve().parent.parent
SERVE = [sys.executable, str(ROOT / "running/serve.py")]
FIRST_RUN = [sys.executable, str(ROOT / "flows/full_pipeline.py"), "--profile", "quick", "--exports", "litert"]
STOP_TIMEOUT = 10.0  # seconds


def main() -> None:
    """Serves until Ctrl-C comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    store = Path(os.environ.get("MNIST_STORE", "artifacts"))
    parser.add_argument("--store", type=Path, default=store, help=f"whose champion (default: {store})")
    parser.add_argument("--champion", default=DEFAULT, metavar="NAME", help="which, where the store has several")
    parser.add_argument("--port", type=int, default=8000, help="(default: 8000)")
    parser.add_argument("--no-browser", action="store_true", help="only say where the page is")
    arguments = parser.parse_args()
    if is_taken("127.0.0.1", arguments.port):
        parser.error(f"port {arguments.port} is taken, by another demo perhaps; --port chooses another")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    url = f"http://127.0.0.1:{arguments.port}"
    threading.Thread(target=_open, args=(url, not arguments.no_browser), daemon=True).start()
    chosen = ["--store", str(arguments.store), "--champion", arguments.champion]
    processes = [_start([*SERVE, "--port", str(arguments.port), *chosen])]
    if read_champion(Store(arguments.store), arguments.champion) is None:
        sys.stderr.write("No champion yet: a quick run trains one in a minute, and the page waits for it.\n")
        processes.append(_start([*FIRST_RUN, *chosen]))
    while not stop.wait(0.5) and processes[0].poll() is None:
        pass
    for process in reversed(processes):
        _end(process)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that the terminal's Ctrl-C comes once, from here."""
    return subprocess.Popen(command, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Lets a process end cleanly, or ends it where that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def _open(url: str, browser: bool) -> None:
    """Opens the page once the server answers, with a model or without."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/", timeout=5):
                break
        except OSError:
            time.sleep(0.2)
    sys.stderr.write(f"The page: {url}\n")
    if browser:
        webbrowser.open(url)


if __name__ == "__main__":
    main()
