"""Classes: from the labels of a source, numbers or words, to numbers that count the classes, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


class Classes:
    """Collects the names that labels have, in the order in which they come.

    Attributes:
        names: Those seen so far.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def add(self, labels: np.ndarray) -> np.ndarray:
        """Returns the numbers, int32 [n], that labels have for now: `in_order` says what becomes of them.

        Args:
            labels: Integers or strings [n].
        """
        if labels.dtype == np.uint8:  # as most are, and many
            table = np.zeros(256, np.int32)
            for label in np.flatnonzero(np.bincount(labels)):
                table[label] = self._number(str(label))
            numbered: np.ndarray = table[labels]
            return numbered
        distinct, places = np.unique(labels, return_inverse=True)
        numbers = [self._number(str(name)) for name in distinct]
        return np.array(numbers, np.int32)[places]

    def in_order(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Returns the names in their order, and, for each number given so far, its place in that: int32 [classes]."""
        names = in_order(self.names)
        places = {name: place for place, name in enumerate(names)}
        return names, np.array([places[name] for name in self.names], np.int32)

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts the names of classes, which no form of data set orders alike: as numbers where all are, else as words."""
    known: Sequence[str] = sorted(set(names))
    if all(name.isascii() and name.isdigit() for name in known):
        known = sorted(known, key=int)
    return tuple(known)
