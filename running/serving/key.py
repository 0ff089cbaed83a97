"""The key that clients of a server send where others than this machine's users could ask it."""

from __future__ import annotations

import os

VARIABLE = "MODEL_SERVER_KEY"
SHORTEST = 16  # characters
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def read_key() -> str | None:
    """Returns the key that the environment names, or None where it names none."""
    return os.environ.get(VARIABLE) or None


def key_problem(host: str) -> str | None:
    """Says what is wrong with the key for an address to listen on; None where nothing is."""
    if host in LOOPBACK or len(read_key() or "") >= SHORTEST:
        return None
    return f"expected {VARIABLE} with {SHORTEST} characters or more in the environment, since {host} is not loopback"
