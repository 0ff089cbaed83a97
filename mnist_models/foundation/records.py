"""Records: what passes between the steps, as JSON, never as a pickle."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator


def digest(value: object) -> str:
    """Returns the SHA-256 (64 hexadecimal digits) of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def digest(self) -> str:
        """SHA-256 of the record's content."""
        return digest(self.model_dump(mode="json"))


class SealedRecord(Record):
    """A record that knows which inputs it answers and whether it was altered.

    Attributes:
        key: The cache key of the inputs that this record is the result of.
        seal: SHA-256 of all other fields. Filled in when the record is made; a record read back with another seal is
            refused (`ValueError`), so that a damaged or exchanged file is never believed.
    """

    key: str
    seal: str = ""

    @model_validator(mode="after")
    def _check_seal(self) -> Self:
        expected = self._compute_seal()
        if not self.seal:
            object.__setattr__(self, "seal", expected)
        elif self.seal != expected:
            raise ValueError(
                f"Expected a record with seal {expected[:12]}. Received: {self.seal[:12]}; it was altered."
            )
        return self

    def _compute_seal(self) -> str:
        content: dict[str, Any] = self.model_dump(mode="json", exclude={"seal"})
        return digest(content)


class FileReference(Record):
    """A file in the store that a record points to.

    Attributes:
        path: Relative to the store's root.
        sha256: Of the file's bytes.
        size: In bytes.
    """

    path: str
    sha256: str
    size: int
