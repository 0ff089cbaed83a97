"""Whether a port is free."""

from __future__ import annotations

import socket


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there: a server of ours would end at once, and its clients talk to the other one."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
