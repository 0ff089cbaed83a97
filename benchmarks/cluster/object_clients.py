"""The client of S3 that stores have, obstore, against s3fs.

    pip install s3fs
    python -m benchmarks.cluster.object_clients [--quick] [--json FILE] [--repetitions 5]

Both write and read what a run does, by turns, on the tests' server on this machine, which shares its cores with them:
records of 2 kB, from one thread and from eight, checkpoints of 0.5 MB, and the arrays of a data set, 47 MB. Each object
goes in one request, without conditions. A figure is of one object: a repetition moves several, but for the data set,
and divides.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import s3fs
from obstore.store import S3Store

from benchmarks.comparison import Figure, Ratio, arguments, report
from tests.s3_server import s3_server

BUCKET = "digits"
KINDS = (  # name, bytes, objects a repetition, threads; the tests' server has room for a gigabyte in all
    ("record of 2 kB", 2_000, 100, 1),
    ("record of 2 kB, 8 threads", 2_000, 200, 8),
    ("checkpoint of 0.5 MB", 500_000, 20, 1),
    ("data set of 47 MB", 47_000_000, 1, 1),
)


class Client(Protocol):
    """What is measured."""

    name: str

    def put(self, path: str, data: bytes) -> object:
        """Writes an object."""

    def get(self, path: str) -> bytes:
        """Reads one."""


class Obstore:
    """As `mnist_models.objects.s3` uses it."""

    name = "obstore"

    def __init__(self) -> None:
        self._store = S3Store(BUCKET, client_options={"allow_http": True, "timeout": "60s"})

    def put(self, path: str, data: bytes) -> object:
        """Writes an object."""
        return self._store.put(path, data, use_multipart=False)

    def get(self, path: str) -> bytes:
        """Reads one."""
        return bytes(self._store.get(path).bytes())


class S3fs:
    """As its documentation has it: bytes by `pipe_file` and `cat_file`."""

    name = "s3fs"

    def __init__(self) -> None:
        self._files = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], skip_instance_cache=True)

    def put(self, path: str, data: bytes) -> object:
        """Writes an object."""
        return self._files.pipe_file(f"{BUCKET}/{path}", data)

    def get(self, path: str) -> bytes:
        """Reads one."""
        return bytes(self._files.cat_file(f"{BUCKET}/{path}"))


def main(options: argparse.Namespace) -> None:
    """Measures both by turns."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder) / "s3") as server:
        os.environ.update(server.environment)
        s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"]).mkdir(BUCKET)
        clients: list[Client] = [Obstore(), S3fs()]
        for kind, size, count, threads in KINDS:
            repetitions, objects = (1, threads) if options.quick else (options.repetitions, count)
            found = measure(clients, size, objects, threads, repetitions)
            for what in ("put", "get"):
                sides = [Figure(f"{what} a {kind}: {each.name}", "ms", found[each.name, what]) for each in clients]
                figures += sides
                claims.append(Ratio(f"{what} a {kind}: s3fs to obstore", sides[1].median / sides[0].median))
    report("Clients of S3", figures, claims, options)


def measure(
    clients: list[Client], size: int, count: int, threads: int, repetitions: int
) -> dict[tuple[str, str], list[float]]:
    """Returns the milliseconds an object of each client's puts and gets; the first turn of all is left out."""
    chance = random.Random(1)
    found: dict[tuple[str, str], list[float]] = {
        (client.name, what): [] for client in clients for what in ("put", "get")
    }
    names = (f"object-{size}-{number}" for number in itertools.count())
    with ThreadPoolExecutor(threads) as pool:
        for turn in range(repetitions + 1):
            for client in chance.sample(clients, len(clients)):
                paths, data = list(itertools.islice(names, count)), chance.randbytes(size)
                for what, seconds in turns(client, paths, data, pool):
                    if turn:
                        found[client.name, what].append(1000 * seconds / count)
    return found


def turns(client: Client, paths: list[str], data: bytes, pool: ThreadPoolExecutor) -> Iterator[tuple[str, float]]:
    """Yields the seconds in which all objects are written, and those in which they are read."""

    def read(path: str) -> None:
        if client.get(path) != data:
            raise RuntimeError(f"{client.name} read something else than it wrote to {path}")

    yield "put", timed(lambda: list(pool.map(lambda path: client.put(path, data), paths)))
    yield "get", timed(lambda: list(pool.map(read, paths)))


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    main(parser.parse_args())
