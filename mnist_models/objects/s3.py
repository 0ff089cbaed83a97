"""Objects in a bucket of S3, or of whatever speaks its language and refuses conditional writes as it does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError
from obstore.store import S3Store

from mnist_models.objects.interface import ConflictError, Found

PATIENCE = timedelta(minutes=3)  # with a server that does not answer
MOST_TRIES = 20
PAUSE = 1.0  # seconds between two tries


class S3Objects:
    """The objects of a bucket below a prefix.

    Credentials, region and endpoint come from where they usually do: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    `AWS_REGION`, `AWS_ENDPOINT_URL`, a web identity, or the machine's role. They are in no error of this module.

    Args:
        url: s3://bucket/prefix
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._bucket = parts.netloc
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": plain, "timeout": "60s"},
            retry_config={"max_retries": MOST_TRIES, "retry_timeout": PATIENCE},
        )

    def get(self, name: str) -> Found | None:
        """Returns an object, or None where there is none."""
        with self._explained("read", name):
            try:
                found = self._store.get(name)
                return Found(bytes(found.bytes()), str(found.meta["e_tag"]))
            except FileNotFoundError:
                return None

    def put(self, name: str, data: bytes, over: str | None) -> str:
        """Writes an object where none is, or over one version of it, and returns the new version's tag."""
        mode: Any = "create" if over is None else {"e_tag": over}
        try:
            with self._explained("write", name):
                return str(self._put(name, data, mode)["e_tag"])
        except ConflictError:
            there = self.get(name)  # it may be ours: an answer that was lost is asked for again
            if there is not None and there.data == data:
                return there.tag
            raise

    def _put(self, name: str, data: bytes, mode: Any) -> Any:
        """Tries again where the library does not: to it a conditional write that may have been done must not be."""
        end = time.monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                return self._store.put(name, data, mode=mode, use_multipart=False)
            except GenericError:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yields name and bytes of each object whose name is the prefix or lies below it as in a folder."""
        with self._explained("list", prefix):
            below = [each for some in self._store.list(prefix) for each in some]
            with contextlib.suppress(FileNotFoundError):
                below.append(self._store.head(prefix))
        yield from ((each["path"], each["size"]) for each in below)

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""
        with self._explained("remove", name), contextlib.suppress(FileNotFoundError):
            self._store.delete(name)

    @contextlib.contextmanager
    def _explained(self, verb: str, name: str) -> Iterator[None]:
        """Turns the library's errors into ours: theirs quote requests, with what identifies who asked."""
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise ConflictError(f"{name} in bucket {self._bucket}: somebody else has written it") from None
        except FileNotFoundError:
            raise
        except BaseError as error:
            raise OSError(
                f"Expected to {verb} {name or 'objects'} in bucket {self._bucket}. Received: {type(error).__name__}; "
                "see AWS_ENDPOINT_URL, AWS_REGION and the credentials of the environment"
            ) from None
