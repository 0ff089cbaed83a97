"""What a store needs of objects elsewhere, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class ConflictError(OSError):
    """An object is not what its writer believed: somebody else has written it meanwhile."""


class Found(NamedTuple):
    """An object as it was read.

    Attributes:
        data: Its bytes.
        tag: Names this version of it.
    """

    data: bytes
    tag: str


class Objects(Protocol):
    """Objects by name. Every method raises `OSError`, without addresses or credentials, where nobody answers."""

    def get(self, name: str) -> Found | None:
        """Returns an object, or None where there is none."""

    def put(self, name: str, data: bytes, over: str | None) -> str:
        """Writes an object where none is, or over one version of it, and returns the new version's tag.

        Args:
            name: Of the object.
            data: Its bytes; writing again what is there already is no conflict.
            over: Tag of the version that is replaced; None where there must be none.

        Raises:
            ConflictError: If there is another version.
        """

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yields name and bytes of each object whose name is the prefix or lies below it as in a folder."""

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""
