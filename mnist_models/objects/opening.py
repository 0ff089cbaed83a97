"""Which objects an address means, and how one of them is replaced by whoever need not know what was there."""

from __future__ import annotations

import functools

from mnist_models.objects.interface import ConflictError, Objects


@functools.cache
def open_objects(url: str) -> Objects:
    """Returns the objects at s3://bucket/prefix, on connections that this process keeps."""
    from mnist_models.objects.s3 import S3Objects  # with a library that a folder does not need

    return S3Objects(url)


def replace(objects: Objects, name: str, data: bytes) -> None:
    """Writes an object, whatever was there.

    Raises:
        ConflictError: If somebody else does the same at the same moment.
    """
    try:
        objects.put(name, data, over=None)
    except ConflictError:
        there = objects.get(name)
        objects.put(name, data, over=there and there.tag)
