"""From a source to a data set in the store: read, order, split, write (seed, step 1)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mnist_models.data.contents import Contents, check_known_labels, read_contents
from mnist_models.data.dataset import DatasetReference
from mnist_models.data.plan import TEST, TRAIN, UNLABELLED, UNUSED, VALIDATION, Placed, plan
from mnist_models.foundation.files import NewFile
from mnist_models.foundation.records import FileReference, digest
from mnist_models.foundation.store import Store
from mnist_models.sources.detect import open_source
from mnist_models.sources.source import CHUNK_BYTES, DataError, Options, PartName, Source

EMBEDDED = Path(__file__).with_name("mnist.npz")
EMBEDDED_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
MNIST_DIGEST = "917a7114da71ed016e5f2093c177652814c5e22d98fa68012b0797e1529ac269"
"""Of MNIST's contents: in whatever form it comes, it is the embedded one, whose images keep the order they have."""

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
        if not embedded and contents.digest() == MNIST_DIGEST:
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
    counts = {place: sum(int((part.places == place).sum()) for part in planned.values()) for place in range(4)}
    shape = contents.source.shape
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(NewFile(store.root / "datasets" / f"{name}.npy"))
            for name in ("x_train", "y_train", "x_test", "y_test", *(["x_unlabelled"] if counts[UNLABELLED] else []))
        }
        train = counts[TRAIN] + counts[VALIDATION]
        _write_header(files["x_train"], np.uint8, (train, *shape))
        _write_header(files["x_test"], np.uint8, (counts[TEST], *shape))
        if counts[UNLABELLED]:
            _write_header(files["x_unlabelled"], np.uint8, (counts[UNLABELLED], *shape))
        _write_images(files, contents, planned, store.root / "datasets")
        for name, places in (("y_train", (TRAIN, VALIDATION)), ("y_test", (TEST,))):
            labels = [part.labels[part.places == place] for place in places for part in planned.values()]
            _write_header(files[name], np.int32, (sum(map(len, labels)),))
            files[name].write(np.concatenate(labels).astype(np.int32).data)
        fingerprint = digest(
            {
                "sha256": {name: file.digest.hexdigest() for name, file in files.items()},
                "train": counts[TRAIN],
                "classes": contents.names,
            }
        )
        placed: dict[str, FileReference] = {
            name: store.place(file, f"datasets/{fingerprint[:16]}/{name}.npy") for name, file in files.items()
        }
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
        files=placed,
    )


def _write_images(files: dict[str, NewFile], contents: Contents, planned: Plan, folder: Path) -> None:
    """Pours all pixels into their files; validation images wait until all training images are written."""
    with tempfile.TemporaryFile(dir=folder) as waiting:
        sinks = {
            TRAIN: files["x_train"].write,
            VALIDATION: waiting.write,
            TEST: files["x_test"].write,
            UNLABELLED: files["x_unlabelled"].write if "x_unlabelled" in files else waiting.write,
        }
        for name, part in planned.items():
            for places, pixels in _poured(contents, name, part):
                for place in np.unique(places):
                    if place != UNUSED:
                        sinks[int(place)](np.ascontiguousarray(pixels[places == place]).reshape(-1).data)
        waiting.seek(0)
        while some := waiting.read(CHUNK_BYTES):
            files["x_train"].write(some)


def _poured(contents: Contents, name: PartName, part: Placed) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of a part's images, in order, with the place of each."""
    first = 0
    for pixels in contents.spools[name].images(part.order):
        yield part.places[first : first + len(pixels)], pixels
        first += len(pixels)


def _write_header(file: NewFile, dtype: type, shape: tuple[int, ...]) -> None:
    """As `numpy.save` would."""
    buffer = io.BytesIO()
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(buffer, {"descr": description, "fortran_order": False, "shape": shape})
    file.write(buffer.getvalue())
