"""The data set: load, verify, split, store, and read back as memory-mapped arrays (seed, step 1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_models.records import FileReference, SealedRecord, digest
from mnist_models.source import DataError, check_arrays, check_digests, read_arrays, sha256
from mnist_models.store import DamagedFileError, Store

EMBEDDED = Path(__file__).parent / "data" / "mnist.npz"
EMBEDDED_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
VALIDATION_SHARE = 6  # one training image in six validates: 10,000 of MNIST's 60,000
MINIMUM_PER_CLASS = VALIDATION_SHARE  # so that every class is validated at least once
MAXIMUM_PIXEL = 255


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Attributes:
        x: uint8 [n, height, width, channels], as stored; `scale` makes what a network is fed.
        y: int32 [n], from 0 to classes - 1.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


class DatasetReference(SealedRecord):
    """A preprocessed data set in the store.

    Attributes:
        fingerprint: SHA-256 of the source's arrays and of how they were split.
        source: File name of the source.
        image_shape: (height, width, channels).
        classes: Number of classes.
        train, validation, test: Number of images of each split.
        files: The stored arrays: x_train, y_train (training images first, validation images behind), x_test, y_test.
    """

    fingerprint: str
    source: str
    image_shape: tuple[int, int, int]
    classes: int
    train: int
    validation: int
    test: int
    files: dict[str, FileReference]


def preprocess(store: Store, *, data: Path | None, images: int | None, seed: int, key: str) -> DatasetReference:
    """Loads and verifies a data set, splits it and writes its arrays to the store.

    The training images are split 5 : 1 into training and validation, per class by largest remainder and at random
    from `seed` (MNIST: exactly 50,000 / 10,000); the test images stay as they are. The arrays keep their uint8 pixels,
    a quarter of the memory; `scale` maps them to float32 in [0, 1] on their way into a network.

    Args:
        store: Where the arrays are written.
        data: An .npz with x_train, y_train, x_test, y_test; None for the embedded MNIST.
        images: Number of training and validation images to use, stratified, and a sixth of it to test; None for all.
        seed: Of the split.
        key: Cache key that the returned record carries.

    Raises:
        DataError: If the data set cannot be used.
    """
    source = data or EMBEDDED
    arrays = load(source)
    fingerprint = digest(
        {"sha256": {name: sha256(array) for name, array in arrays.items()}, "images": images, "seed": seed}
    )
    classes = int(arrays["y_train"].max()) + 1
    chosen = _subset(arrays["y_train"], images, seed, source)
    chosen_test = _subset(
        arrays["y_test"], None if images is None else max(images // VALIDATION_SHARE, classes), seed, source, minimum=0
    )
    train, validation = stratified_split(arrays["y_train"][chosen], len(chosen) // VALIDATION_SHARE, seed)
    order = chosen[np.concatenate([train, validation])]
    x_train, x_test = arrays["x_train"][order], arrays["x_test"][chosen_test]
    stored = {
        "x_train": _with_channels(x_train),
        "y_train": arrays["y_train"][order].astype(np.int32),
        "x_test": _with_channels(x_test),
        "y_test": arrays["y_test"][chosen_test].astype(np.int32),
    }
    height, width, channels = stored["x_train"].shape[1:]
    return DatasetReference(
        key=key,
        fingerprint=fingerprint,
        source=source.name,
        image_shape=(height, width, channels),
        classes=classes,
        train=len(train),
        validation=len(validation),
        test=len(x_test),
        files={name: store.write_array(f"datasets/{fingerprint[:16]}/{name}.npy", a) for name, a in stored.items()},
    )


def read_split(store: Store, dataset: DatasetReference, split: str) -> Images:
    """Returns a split's images as views of memory-mapped files.

    Args:
        store: The store that holds the data set.
        dataset: Which data set.
        split: "train", "validation", "train+validation" or "test".

    Raises:
        ValueError: If there is no such split.
        DamagedFileError: If a file is missing or is not what was written.
    """
    bounds = {
        "train": ("train", slice(0, dataset.train)),
        "validation": ("train", slice(dataset.train, None)),
        "train+validation": ("train", slice(None)),
        "test": ("test", slice(None)),
    }
    if split not in bounds:
        raise ValueError(f"Expected a split out of {', '.join(bounds)}. Received: {split!r}")
    part, rows = bounds[split]
    x, y = (_read_array(store, dataset.files[f"{axis}_{part}"]) for axis in "xy")
    return Images(x=x[rows], y=y[rows])


def scale(pixels: np.ndarray) -> np.ndarray:
    """Maps uint8 pixels 0..255 to float32 in [0, 1], in the same shape."""
    return pixels.astype(np.float32) / np.float32(MAXIMUM_PIXEL)


def load(path: Path) -> dict[str, np.ndarray]:
    """Loads the four arrays of an .npz and verifies them.

    Returns:
        x_train, x_test: uint8 [n, height, width] or [n, height, width, 1 or 3]; y_train, y_test: integers [n].

    Raises:
        DataError: If the file is missing, not an .npz, lacks an array, holds pickled content, or if an array has
            another dtype, rank, number or range than expected, or, for the embedded MNIST, another digest.
    """
    arrays = read_arrays(path)
    check_arrays(path, arrays, MINIMUM_PER_CLASS)
    if path == EMBEDDED:
        check_digests(path, arrays, EMBEDDED_SHA256)
    return arrays


def stratified_counts(available: np.ndarray, total: int) -> np.ndarray:
    """Shares out `total` over classes in proportion to what is available, by largest remainder.

    Args:
        available: int [classes], examples of each class.
        total: How many to take, at most `available.sum()`.

    Returns:
        int64 [classes], which sums to `total` and nowhere exceeds `available`; each is within one of its exact share.
    """
    everything = int(available.sum())
    if not 0 <= total <= everything:
        raise ValueError(f"Expected a number from 0 to {everything}. Received: {total}")
    products = available.astype(np.int64) * total
    counts = products // max(everything, 1)
    by_remainder = np.argsort(-(products % max(everything, 1)), kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts


def stratified_split(labels: np.ndarray, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits the rows at random into two disjoint sets with the same mix of classes.

    Args:
        labels: int [n].
        validation: Rows in the second set.
        seed: Of the choice.

    Returns:
        Row numbers, int64 [n - validation] and [validation], each ascending.
    """
    generator = np.random.default_rng([seed, len(labels), validation])
    counts = stratified_counts(np.bincount(labels), validation)
    chosen = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(counts):
        chosen[generator.permutation(np.flatnonzero(labels == label))[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _subset(
    labels: np.ndarray, count: int | None, seed: int, path: Path, minimum: int = MINIMUM_PER_CLASS
) -> np.ndarray:
    """Row numbers of a stratified subset; all rows where `count` is None or not smaller."""
    if count is None or count >= len(labels):
        return np.arange(len(labels))
    _, chosen = stratified_split(labels, count, seed)
    smallest = int(np.bincount(labels[chosen], minlength=int(labels.max()) + 1).min())
    if smallest < minimum:
        raise DataError(
            f"{path}: expected --images to leave at least {minimum} examples of each class. "
            f"Received: {count}, which leaves {smallest}."
        )
    return chosen


def _with_channels(x: np.ndarray) -> np.ndarray:
    return x[..., np.newaxis] if x.ndim == 3 else x


_verified: dict[tuple[Path, str], np.ndarray] = {}  # arrays this process has already checked


def _read_array(store: Store, reference: FileReference) -> np.ndarray:
    known = (store.root / reference.path, reference.sha256)
    if known not in _verified:
        path = store.verify(reference)
        try:
            _verified[known] = np.load(path, mmap_mode="c", allow_pickle=False)  # TensorFlow shares no read-only memory
        except ValueError as error:
            raise DamagedFileError(path, str(error)) from error
    return _verified[known]
