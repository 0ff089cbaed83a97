"""From a source to a data set in the store: load, verify, split, write (seed, step 1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.data.source import DataError, check_arrays, check_digests, read_arrays, sha256
from mnist_models.data.split import stratified_split
from mnist_models.foundation.records import digest
from mnist_models.foundation.store import Store

EMBEDDED = Path(__file__).with_name("mnist.npz")
EMBEDDED_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
VALIDATION_SHARE = 6  # one training image in six validates: 10,000 of MNIST's 60,000
MINIMUM_PER_CLASS = VALIDATION_SHARE  # so that every class is validated at least once


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
