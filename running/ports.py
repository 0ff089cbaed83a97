"""Which ports are free."""

from __future__ import annotations

import socket


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there: a server of ours would end at once, and its clients talk to the other one."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
