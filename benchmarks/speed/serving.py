"""How fast the server answers, beside a FastAPI handler that calls `model.predict`; what it costs; what it bears.

`python -m benchmarks.speed.serving MODEL.keras` needs the model of a run (`artifacts/latest/model.keras`). Its first
member and its whole ensemble are written as LiteRT, the member in int8, too; the handler has the first member as Keras
runs it. Server, client and handler share this machine's cores. Takes four minutes.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report
from mnist_models.data.dataset import scale
from mnist_models.data.preprocessing import EMBEDDED
from mnist_models.inference.pictures import encode
from running.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SERVE = [sys.executable, str(ROOT / "running/serve.py")]
PEER = [sys.executable, "-m", "benchmarks.peers.predict_handler"]
BATCH = 100  # images of one request
CLIENTS = 4
REPETITIONS = 5


def main() -> None:
    """Measures both sides in one run."""
    parser = arguments(__doc__)
    parser.add_argument("model", type=Path, help="model.keras of a run")
    options = parser.parse_args()
    seconds, repetitions = (0.3, 1) if options.quick else (2.0, REPETITIONS)
    images = np.load(EMBEDDED)["x_test"]
    single = [_post("image/png", encode(image[..., None])) for image in images[:200]]
    batches = [_post("application/x-npy", _as_npy(images[at : at + BATCH])) for at in range(0, 2000, BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        models = _convert(options.model, Path(folder))
        figures: list[Figure] = []
        ratios: list[Ratio] = []
        found: dict[str, list[float]] = {}
        for name, model in models.items():
            starts = [_cold_start(model) for _ in range(repetitions)]
            with run_server([*SERVE, "--model", str(model)]) as (port, pid):
                p50, p99 = _latencies(port, single, seconds, repetitions)
                rates = found[name] = [_rate(port, batches, seconds) for _ in range(repetitions)]
                memory = _memory(pid)
            figures += [
                Figure(f"{name}: one picture a request, median", "ms", p50),
                Figure(f"{name}: one picture a request, 99th percentile", "ms", p99),
                Figure(f"{name}: batches of {BATCH}", "images/s", rates),
                Figure(f"{name}: cold start", "s", starts),
                Figure(f"{name}: memory after all that", "MB", [memory]),
            ]
            ratios += [
                at_most(f"{name}: p50, ms", statistics.median(p50), 3),
                at_most(f"{name}: p99, ms", statistics.median(p99), 10),
                at_most(f"{name}: cold start, s", statistics.median(starts), 2),
                at_most(f"{name}: memory, MB", memory, 300),
            ]
        with run_server([*PEER, str(options.model)]) as (port, pid):
            peer_p50, peer_p99 = _latencies(port, single, seconds, repetitions)
            peer = [_rate(port, batches, seconds) for _ in range(repetitions)]
            figures += [
                Figure("model.predict: one picture a request, median", "ms", peer_p50),
                Figure("model.predict: one picture a request, 99th percentile", "ms", peer_p99),
                Figure(f"model.predict: batches of {BATCH}", "images/s", peer),
                Figure("model.predict: memory after all that", "MB", [_memory(pid)]),
            ]
    ratios += [
        at_least("single member: images/s in batches", statistics.median(found["single member"]), 1, 2000),
        at_least("one picture: model.predict to server", statistics.median(peer_p50), statistics.median(p50), 5),
    ]
    ratios += [
        at_least(f"batches of {BATCH}: {name} to model.predict", statistics.median(found[name]), middle, 5)
        for name in ("single member", "single member, int8")
        for middle in (statistics.median(peer),)
    ]
    report("Serving", figures, ratios, options)


def _latencies(port: int, single: list[bytes], seconds: float, repetitions: int) -> tuple[list[float], list[float]]:
    """Returns the median and the 99th percentile of each repetition in milliseconds."""
    found = [1e3 * asyncio.run(_load(port, single, 1, seconds)) for _ in range(repetitions)]
    return [float(np.percentile(one, 50)) for one in found], [float(np.percentile(one, 99)) for one in found]


def _convert(path: Path, folder: Path) -> dict[str, Path]:
    """Writes the ensemble, its first member, and that in int8 as LiteRT."""
    import keras

    from mnist_models.export.conversion import convert

    model = keras.saving.load_model(path)
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)] or [model]
    forms = {
        "ensemble": (model, "litert"),
        "single member": (members[0], "litert"),
        "single member, int8": (members[0], "litert_int8"),
    }
    calibration = scale(np.load(EMBEDDED)["x_train"][::300, ..., None])
    for name in forms:
        (folder / name).mkdir()
    return {name: convert(*form, folder / name, calibration) for name, form in forms.items()}


@contextmanager
def run_server(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs a server on a free port until the end; yields its port and its process."""
    port = free_port()
    process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        _wait(port)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _cold_start(model: Path) -> float:
    start = time.perf_counter()
    with run_server([*SERVE, "--model", str(model)]):
        return time.perf_counter() - start


def _wait(port: int) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)


def _rate(port: int, requests: Sequence[bytes], seconds: float) -> float:
    start = time.perf_counter()
    answered = len(asyncio.run(_load(port, requests, CLIENTS, seconds)))
    return answered * BATCH / (time.perf_counter() - start)


async def _load(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> np.ndarray:
    """Keeps so many clients asking, each for one answer after the other; returns the seconds of each request."""
    end = time.perf_counter() + seconds
    found = await asyncio.gather(*(_client(port, requests[number:], end) for number in range(clients)))
    return np.concatenate(found)


async def _client(port: int, requests: Sequence[bytes], end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    while (start := time.perf_counter()) < end:
        writer.write(requests[len(seconds) % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"Expected status 200. Received: {head[:80]!r}")
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        seconds.append(time.perf_counter() - start)
    writer.close()
    return seconds


def _post(kind: str, body: bytes) -> bytes:
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _as_npy(images: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, images)
    return file.getvalue()


def _memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
