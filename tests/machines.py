"""Machines as far as a network knows: namespaces of this one's, each with a cable that can be cut."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence

NETWORK = "10.77"


@contextlib.contextmanager
def machines(*numbers: int) -> Iterator[list[Machine] | list[None]]:
    """A machine for each number, removed in the end; Nones where they are not permitted."""
    made: list[Machine] = []
    try:
        for number in numbers if permitted() else ():
            made.append(Machine(number))
        yield made or [None for _ in numbers]
    finally:
        for machine in made:
            machine.remove()


def address(places: Sequence[Machine | None]) -> str:
    """Where this machine listens so that all of them reach it."""
    return places[0].here if places[0] else "127.0.0.1"


def permitted() -> bool:
    """Whether this process may make namespaces and rules for packets."""
    tools = all(shutil.which(tool) for tool in ("ip", "iptables"))
    return tools and os.geteuid() == 0 and _runs("unshare", "-n", "true") and _runs("iptables", "-L", "INPUT", "-n")


class Machine:
    """A namespace at the other end of a cable.

    Args:
        number: From 1 to 254; tells its network from others.

    Attributes:
        here: Address of this machine on the cable.
        there: Its own.
        enter: What a command begins with that runs there.
    """

    def __init__(self, number: int) -> None:
        self.here, self.there = f"{NETWORK}.{number}.1", f"{NETWORK}.{number}.2"
        self._name, self._cable = f"mnist-{os.getpid()}-{number}", f"m{os.getpid()}-{number}"
        self.enter = ("ip", "netns", "exec", self._name)
        inside = ("ip", "-n", self._name)
        _run("ip", "netns", "add", self._name)
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "out", "netns", self._name)
        _run("ip", "addr", "add", f"{self.here}/24", "dev", self._cable)
        _run("ip", "link", "set", self._cable, "up")
        _run(*inside, "addr", "add", f"{self.there}/24", "dev", "out")
        _run(*inside, "link", "set", "out", "up")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "route", "add", "default", "via", self.here)

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Loses every packet, in both directions, and tells nobody."""
        _run("iptables", "-I", "INPUT", "-i", self._cable, "-j", "DROP")
        _run("iptables", "-I", "OUTPUT", "-o", self._cable, "-j", "DROP")
        try:
            yield
        finally:
            _run("iptables", "-D", "INPUT", "-i", self._cable, "-j", "DROP")
            _run("iptables", "-D", "OUTPUT", "-o", self._cable, "-j", "DROP")

    def remove(self) -> None:
        """Takes it away; what runs there must have ended."""
        _run("ip", "netns", "del", self._name)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _runs(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
