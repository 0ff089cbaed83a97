"""From a source to a data set in the store: read, order, split, write (seed, step 1)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference, OriginalSizes
from mnist_models.data.plan import TEST, TRAIN, UNLABELLED, VALIDATION, Placed, plan
from mnist_models.foundation.array_file import write_array, write_rows
from mnist_models.foundation.files import NewFile
from mnist_models.foundation.records import FileReference, digest
from mnist_models.foundation.store import Store
from mnist_models.reading.contents import Contents, check_known_labels, read_contents
from mnist_models.sources.detect import open_source
from mnist_models.sources.source import DataError, Options, PartName, Source

WINDOW_BYTES = 2**23  # of images that are put in order at a time
EMBEDDED = Path(__file__).with_name("mnist.npz")
EMBEDDED_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
MNIST_SIZES: dict[PartName, int] = {"train": 60_000, "test": 10_000}
MNIST_DIGEST = "917a7114da71ed016e5f2093c177652814c5e22d98fa68012b0797e1529ac269"
"""Of MNIST's contents: in whatever form it comes, it is the embedded one, whose images keep the order they have."""

SPLITS = {
    "x_train": (TRAIN, VALIDATION),
    "y_train": (TRAIN, VALIDATION),
    "x_test": (TEST,),
    "y_test": (TEST,),
    "x_unlabelled": (UNLABELLED,),
    "y_unlabelled": (UNLABELLED,),
}
"""The arrays of a data set, and what is in each."""

FILES = {"files_train": (TRAIN, VALIDATION), "files_test": (TEST,), "files_unlabelled": (UNLABELLED,)}
"""What the files of images are called: no form but pictures has such, so a data set is the same without."""

Plan = Mapping[PartName, Placed]


def preprocess(
    store: Store, *, data: Path | None, images: int | None, seed: int, key: str, options: Options | None = None
) -> DatasetReference:
    """Reads a data set, splits it and writes its arrays to the store.

    Where the source has no validation images, a sixth of the training images validates, drawn per class by largest
    remainder and at random from `seed` (MNIST: exactly 50,000 / 10,000); where it has no test images with labels, a
    sixth is drawn for that first. Groups are never split. Images are ordered by their content, so that a data set is
    the same in whatever form it comes; MNIST keeps the order of its publication. Pixels stay uint8, a quarter of the
    memory; `scale` maps them to float32 in [0, 1] on their way into a network.

    Args:
        store: Where the arrays are written.
        data: File or folder in a form that `sources` knows; None for the embedded MNIST.
        images: Number of training and validation images to use, stratified, and a sixth of it to test; None for all.
        seed: Of the split.
        key: Cache key that the returned record carries.
        options: How to read `data`.

    Raises:
        DataError: If the data set cannot be used.
        OSError: If the disk refuses.
    """
    folder = store.root / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    source = open_data(data, options)
    embedded = source.path == EMBEDDED
    with contextlib.ExitStack() as stack:
        contents = stack.enter_context(read_contents(source, folder, as_it_comes=embedded))
        if not embedded and contents.sizes() == MNIST_SIZES and contents.digest() == MNIST_DIGEST:
            contents = stack.enter_context(read_contents(open_data(None), folder, as_it_comes=True))
        return _write(store, contents, plan(contents, images, seed), source, key)


def open_data(path: Path | None, options: Options | None = None) -> Source:
    """Describes a data set, and checks what can be checked before its images are read.

    Args:
        path: File or folder; None for the embedded MNIST.
        options: How to read it.

    Raises:
        DataError: If it cannot be used, or if the embedded MNIST is not what it was.
    """
    source = open_source(path or EMBEDDED, options)
    if source.path == EMBEDDED:
        with EMBEDDED.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != EMBEDDED_SHA256:
            raise DataError(f"{EMBEDDED}: expected the file with SHA-256 {EMBEDDED_SHA256}. Received: {found}.")
    check_known_labels(source)
    return source


def _write(store: Store, contents: Contents, planned: Plan, source: Source, key: str) -> DatasetReference:
    counts = {split: sum(int((part.places == split).sum()) for part in planned.values()) for split in range(4)}
    shape = contents.source.shape
    splits = {name: splits for name, splits in SPLITS.items() if sum(counts[split] for split in splits)}
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(NewFile(store.root / "datasets" / name)) for name in splits}
        for name, held in splits.items():
            count = sum(counts[split] for split in held)
            if name.startswith("x"):
                write_rows(files[name], np.dtype(np.uint8), (count, *shape), _images(held, contents, planned))
            else:
                labels = [part.labels[part.places == split] for split in held for part in planned.values()]
                write_array(files[name], np.concatenate(labels).astype(np.int32))
        sha256 = {name: file.digest.hexdigest() for name, file in files.items()}
        fingerprint = digest({"sha256": sha256, "train": counts[TRAIN], "classes": contents.names})
        folder = f"datasets/{fingerprint[:16]}"
        placed = {name: store.place(file, f"{folder}/{name}.npy") for name, file in files.items()}
        placed |= _write_file_names(store, folder, contents, planned)
    return DatasetReference(
        key=key,
        fingerprint=fingerprint,
        source=source.path.name,
        image_shape=shape,
        classes=len(contents.names),
        class_names=contents.names,
        train=counts[TRAIN],
        validation=counts[VALIDATION],
        test=counts[TEST],
        unlabelled=counts[UNLABELLED],
        left_out=tuple(source.left_out),
        sizes=OriginalSizes.of(source.sizes, shape[:2]),
        files=placed,
    )


def _write_file_names(store: Store, folder: str, contents: Contents, planned: Plan) -> dict[str, FileReference]:
    placed = {}
    for name, splits in FILES.items():
        parts = [(contents.spools[part].files, rows) for part, rows in _rows_in(splits, planned)]
        known = [files[rows] for files, rows in parts if files is not None]
        if known and len(known) == len(parts):
            with NewFile(store.root / "datasets" / name) as file:
                write_array(file, np.concatenate(known))
                placed[name] = store.place(file, f"{folder}/{name}-{file.digest.hexdigest()[:16]}.npy")
    return placed


def _rows_in(splits: tuple[int, ...], planned: Plan) -> list[tuple[PartName, np.ndarray]]:
    """Part after part of a file, and which of its images are there, by their numbers in the source."""
    rows = [(name, part.order[part.places == split]) for split in splits for name, part in planned.items()]
    return [(name, some) for name, some in rows if len(some)]


def _images(splits: tuple[int, ...], contents: Contents, planned: Plan) -> Iterator[Callable[[], np.ndarray]]:
    """Makes the images of some splits, one split behind the other, some at a time: those with neighbouring keys."""
    step = max(WINDOW_BYTES // math.prod(contents.source.shape), 1)
    for split in splits:
        for name, part in planned.items():
            for first in range(0, len(part.order), step):
                window = slice(first, first + step)
                chosen = part.order[window][part.places[window] == split]
                if len(chosen):
                    yield functools.partial(contents.spools[name].pixels.take, chosen)
