"""Whether what a run needs elsewhere can be reached: asked before any work, without its libraries."""

from __future__ import annotations

import importlib.util
import socket
from urllib.parse import urlsplit

from mnist_models.foundation.settings import Settings

TIMEOUT = 5.0  # seconds


def check_libraries(settings: Settings) -> None:
    """Fails early where what a setting needs is not installed.

    Raises:
        ModuleNotFoundError: With what to install.
    """
    needed = (
        ("distributed", "cluster", "--cluster", settings.cluster),
        ("obstore", "cluster", "--store s3://", isinstance(settings.store, str)),
        ("mlflow", "mlflow", "--mlflow", settings.mlflow),
    )
    for library, extra, option, wanted in needed:
        if wanted and importlib.util.find_spec(library) is None:
            raise ModuleNotFoundError(f'Expected {library} for {option}: pip install -e ".[{extra}]". Received: none')


def check_cluster(address: str) -> None:
    """Fails early where no scheduler listens.

    Raises:
        OSError: If nobody listens there; the message names the address.
    """
    place = urlsplit(address)
    try:
        socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=TIMEOUT).close()
    except OSError as error:
        raise OSError(
            f"Expected a Dask scheduler at --cluster. Received: no answer from {address} ({error.strerror or error})"
        ) from error
