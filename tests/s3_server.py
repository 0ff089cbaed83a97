"""A server of S3 that refuses conditional writes: SeaweedFS, from PyPI.

What it does not imitate: AWS's throttling (503 SlowDown), several regions, credentials that expire, and lists that are
paged by a thousand under load; it runs on one disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from running.ports import free_port

KEY, SECRET = "AKIATESTOFMNIST", "a-secret-that-nobody-may-see"  # noqa: S105


class S3Server:
    """The server as a process, on ports of its own.

    Args:
        folder: Of what it holds.
        host: Where it listens.

    Attributes:
        environment: By which a client finds it.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self._host = host
        self._ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
        grpc = [f"-{name}.port.grpc={free_port()}" for name in self._ports]
        self._options = [f"-{name}.port={port}" for name, port in self._ports.items()] + grpc
        identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        (folder / "data").mkdir(parents=True)
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        endpoint = f"http://{host}:{self._ports['s3']}"
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }  # fmt: skip
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again on what it held."""
        command = [
            str(Path(sys.executable).parent / "weed"), "server", f"-dir={self.folder / 'data'}", f"-ip={self._host}",
            "-filer", "-s3", f"-s3.config={self.folder / 's3.json'}", "-master.telemetry=false", "-volume.max=20",
            "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0", *self._options,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.environment['AWS_ENDPOINT_URL']}/healthz", timeout=2).close()
                return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def stop(self) -> None:
        """Kills it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def s3_server(folder: Path, host: str = "127.0.0.1") -> Iterator[S3Server]:
    """A server that is stopped in the end."""
    server = S3Server(folder, host)
    try:
        yield server
    finally:
        server.stop()
