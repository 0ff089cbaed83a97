"""Whether what a run needs elsewhere can be reached: asked before any work, without its libraries."""

from __future__ import annotations

import importlib.util
import socket
from urllib.parse import urlsplit

TIMEOUT = 5.0  # seconds


def check_cluster(address: str) -> None:
    """Fails early where no scheduler listens.

    Raises:
        ModuleNotFoundError: If Dask is not installed.
        OSError: If nobody listens there; the message names the address.
    """
    if importlib.util.find_spec("distributed") is None:
        raise ModuleNotFoundError('Expected distributed for --cluster: pip install -e ".[cluster]". Received: none')
    place = urlsplit(address)
    try:
        socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=TIMEOUT).close()
    except OSError as error:
        raise OSError(
            f"Expected a Dask scheduler at --cluster. Received: no answer from {address} ({error.strerror or error})"
        ) from error
