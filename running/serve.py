"""Serves the store's champion over HTTP, with a page to draw on; a new champion is taken without losing a request.

    python running/serve.py                                  # http://127.0.0.1:8000
    curl --data-binary @7.png --header "Content-Type: image/png" http://127.0.0.1:8000/predict

docs/serving.md has all forms of requests, and what the server refuses.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from running.ports import is_taken
from running.serving.key import key_problem, read_key

if TYPE_CHECKING:
    from running.serving.current import Choice

FORM = "of the champion (default: the fastest that answers as the model itself; litert_int8 is faster, and close)"
SWITCH_SECONDS = 0.0005  # a thread that answers gives way to the one that reads requests after this; Python's: 0.005


def main() -> None:
    """Serves until SIGTERM or Ctrl-C comes; what was asked before is answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    store = Path(os.environ.get("MNIST_STORE", "artifacts"))
    parser.add_argument("--store", type=Path, default=store, help=f"whose champion (default: {store})")
    parser.add_argument("--champion", default="default", metavar="NAME", help="which, where the store has several")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a .tflite, .onnx or .keras file instead")
    parser.add_argument("--form", choices=("litert", "litert_int8", "onnx", "keras"), help=FORM)
    parser.add_argument("--prepare", choices=("auto", "pen", "plain"), default="auto", help="how pictures are taken")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="(default: 8000)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="that answer (default: one per core)")
    arguments = parser.parse_args()
    if problem := key_problem(arguments.host):
        parser.error(problem)
    if arguments.model and not arguments.model.is_file():
        parser.error(f"expected a file for --model; received {arguments.model}")
    if is_taken(arguments.host, arguments.port):
        parser.error(f"port {arguments.port} is taken, by another server perhaps; --port chooses another")
    _serve(arguments)


def _serve(arguments: argparse.Namespace) -> None:
    import uvicorn

    from running.serving.application import create_application
    from running.serving.current import CurrentModel
    from running.serving.limits import Limits

    sys.setswitchinterval(SWITCH_SECONDS)
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logging.getLogger("running").setLevel(logging.INFO)
    limits = Limits()
    application = create_application(CurrentModel(_choice(arguments), limits), limits, read_key())
    url = f"http://{arguments.host}:{arguments.port}"
    logging.getLogger("running").info("%s  Ctrl-C stops it.", url)
    uvicorn.run(
        application,
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def _choice(arguments: argparse.Namespace) -> Choice:
    from mnist_models.foundation.store import Store
    from running.serving.current import Choice

    return Choice(
        store=Store(arguments.store),
        champion=arguments.champion,
        named=arguments.model,
        form=arguments.form,
        preparation=arguments.prepare,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
