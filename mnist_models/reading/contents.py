"""A source, read whole: the spools of its parts, the names of its classes, and whether they make a data set."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_models.reading.classes import Classes
from mnist_models.reading.spool import Spool, read_part
from mnist_models.sources.limits import MOST_CLASSES
from mnist_models.sources.source import DataError, PartName, Source

MINIMUM_PER_CLASS = 6  # so that every class is validated at least once
NAMED = 5  # of many, that a message names


@dataclass(frozen=True)
class Contents:
    """What was read.

    Attributes:
        source: Where it comes from.
        names: Of the classes, in their order.
        spools: Of each part; their labels and groups count classes and groups in order.
        unlabelled: Whether the test images have no labels.
    """

    source: Source
    names: tuple[str, ...]
    spools: Mapping[PartName, Spool]
    unlabelled: bool

    def sizes(self) -> dict[PartName, int]:
        """Returns the number of images of each part."""
        return {part: len(spool) for part, spool in self.spools.items()}

    def digest(self) -> str:
        """Returns a digest of keys and labels, the same in every form and order."""
        found = hashlib.sha256(repr((self.names, self.source.shape, self.unlabelled)).encode())
        for part, spool in sorted(self.spools.items()):
            order = spool.order()
            found.update(part.encode() + spool.keys[order].tobytes() + spool.labels[order].tobytes())
        return found.hexdigest()


@contextlib.contextmanager
def read_contents(source: Source, folder: Path, *, as_it_comes: bool = False) -> Iterator[Contents]:
    """Reads a source and checks that it can be trained on; at the end, what it took on the disk is given back.

    Args:
        source: What to read.
        folder: On which disk to keep pixels meanwhile.
        as_it_comes: Keep the order of the source, instead of one by content.

    Raises:
        DataError: If it is not what it seemed, or is no data set.
    """
    classes, groups, spools = Classes(), Classes(), dict[PartName, Spool]()
    with contextlib.ExitStack() as stack:
        for part in source.parts:
            keep = as_it_comes or not part.labelled
            read = read_part(part, source.shape, folder, classes, groups, as_it_comes=keep)
            spools[part.name] = stack.enter_context(read)
        names, numbers = classes.in_order()
        _, group_numbers = groups.in_order()
        in_order = {part: _renumbered(spool, numbers, group_numbers) for part, spool in spools.items()}
        unlabelled = not all(part.labelled for part in source.parts)
        check_classes(source, names, {part: in_order[part].labels for part in in_order})
        _check_groups(source, in_order)
        yield Contents(source, names, in_order, unlabelled)


def check_known_labels(source: Source) -> None:
    """Checks labels that are known before any image is read, so that a mistake in them is told at once.

    Raises:
        DataError: If they are no labels of a data set.
    """
    classes = Classes()
    known = {part.name: classes.add(part.labels) for part in source.parts if part.labels is not None}
    if "train" in known:
        names, numbers = classes.in_order()
        check_classes(source, names, {part: numbers[labels] for part, labels in known.items()})


def check_classes(source: Source, names: tuple[str, ...], labels: Mapping[PartName, np.ndarray]) -> None:
    """Checks that there are classes to tell apart, with images enough to train and to validate each.

    Args:
        source: For messages.
        names: Of the classes.
        labels: Of each part, int32 [n]; negative where there are none.

    Raises:
        DataError: If it is not so.
    """
    path = source.path
    counts = np.bincount(labels["train"], minlength=len(names))
    for part, numbers in labels.items():
        if unknown := sorted({names[number] for number in np.unique(numbers) if number >= 0 and not counts[number]}):
            trained = [name for name, count in zip(names, counts, strict=True) if count]
            raise DataError(
                f"{path}: expected {part} labels out of those of the training images ({_some(trained)}). "
                f"Received: {_some(unknown)}."
            )
    if not 2 <= len(names) <= MOST_CLASSES or counts.min() < MINIMUM_PER_CLASS:
        raise DataError(
            f"{path}: expected 2 to {MOST_CLASSES:,} classes of at least {MINIMUM_PER_CLASS} training images each. "
            f"Received: {len(names)} classes, class {names[int(counts.argmin())]} with {int(counts.min())}."
        )


def _renumbered(spool: Spool, numbers: np.ndarray, groups: np.ndarray) -> Spool:
    labelled = bool(len(spool.labels)) and spool.labels[0] >= 0
    return dataclasses.replace(
        spool,
        labels=numbers[spool.labels] if labelled else spool.labels,
        groups=None if spool.groups is None else groups[spool.groups],
    )


def _check_groups(source: Source, spools: Mapping[PartName, Spool]) -> None:
    """A group in two parts that the user made would be on both sides."""
    parts = [(part, np.unique(spool.groups)) for part, spool in spools.items() if spool.groups is not None]
    for number, (part, groups) in enumerate(parts):
        for other, others in parts[:number]:
            if shared := len(np.intersect1d(groups, others)):
                raise DataError(
                    f"{source.path}: expected each group in one of the parts only. Received: {shared} groups in both "
                    f"{other} and {part}; put them on one side, or leave the split to us."
                )


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f", … {len(names)} in all" if len(names) > NAMED else "")
