"""Pictures: a folder for each class, in a folder for each split or not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mnist_models.sources.decoding import BadPictureError, Looks, common_shape, decode, look_at
from mnist_models.sources.limits import MOST_FILE_BYTES, check_file, check_shape, files_below
from mnist_models.sources.source import Chunk, DataError, ImageShape, Options, Part, PartName, Source, rows_of_a_chunk

SPLITS: dict[str, PartName] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "valid": "validation", "val": "validation",
}  # fmt: skip
NOT_PICTURES = {".txt", ".md", ".json", ".csv", ".xml", ".yaml", ".yml", ".html", ".pdf", ".db", ".ini"}
NAMED = 5  # bad pictures that an error names


@dataclass
class Bad:
    """Counts pictures that cannot be used, and refuses more than the user allows.

    Attributes:
        path: Of the source.
        allowed: So many may be left out.
        names: Name and reason of each so far.
    """

    path: Path
    allowed: int
    names: list[str] = field(default_factory=list)

    def add(self, name: str, error: BadPictureError) -> None:
        """Notes a bad picture."""
        self.names.append(f"{name}: {error}")

    def check(self) -> None:
        """Raises `DataError` where there are more than allowed."""
        if len(self.names) > self.allowed:
            more = f", and {len(self.names) - NAMED} more" if len(self.names) > NAMED else ""
            raise DataError(
                f"{self.path}: expected pictures that can be read, or --bad-images {len(self.names)} to leave out the "
                f"others. Received: {'; '.join(self.names[:NAMED])}{more}."
            )


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: str


def open_pictures(folder: Path, options: Options) -> Source:
    """Describes a folder `train/<class>/*`, `test/<class>/*` and perhaps `validation/<class>/*`, or `<class>/*` alone.

    Looks at the header of each picture, for its size.

    Raises:
        DataError: If there are no pictures, pictures of no class, or more unreadable ones than allowed.
    """
    listed = _listed(folder)
    bad = Bad(folder, options.bad_images)
    looks = Looks()
    kept: dict[PartName, list[_Picture]] = {}
    for part, pictures in listed.items():
        for picture in pictures:
            try:
                looks.add(look_at(_read(picture.path)))
                kept.setdefault(part, []).append(picture)
            except BadPictureError as error:
                bad.add(picture.path.relative_to(folder).as_posix(), error)
    bad.check()
    if "train" not in kept:
        raise DataError(f"{folder}: expected pictures to train on. Received: none that can be read.")
    shape = common_shape(looks, options.image_size)
    check_shape(folder, "pictures", shape)
    group = group_finder(options)
    parts = tuple(_part(folder, part, pictures, shape, bad, group) for part, pictures in kept.items())
    return Source(folder, shape, parts, bad.names, looks.sizes)


def _part(
    folder: Path,
    part: PartName,
    pictures: list[_Picture],
    shape: ImageShape,
    bad: Bad,
    group: Callable[[Path], str] | None,
) -> Part:
    labelled = bool(pictures[0].label)
    labels = np.array([picture.label for picture in pictures]) if labelled else None
    return Part(part, len(pictures), lambda: _chunks(folder, pictures, shape, bad, group), labels, labelled)


def _chunks(
    folder: Path, pictures: list[_Picture], shape: ImageShape, bad: Bad, group: Callable[[Path], str] | None
) -> Iterator[Chunk]:
    rows = rows_of_a_chunk(shape)
    for first in range(0, len(pictures), rows):
        images, chosen = [], []
        for picture in pictures[first : first + rows]:
            try:
                images.append(decode(_read(picture.path), shape))
                chosen.append(picture)
            except BadPictureError as error:
                bad.add(picture.path.relative_to(folder).as_posix(), error)
        if images:
            labels = np.array([picture.label for picture in chosen]) if chosen[0].label else None
            groups = np.array([group(picture.path) for picture in chosen]) if group else None
            files = np.array([os.fsencode(picture.path.relative_to(folder)) for picture in chosen])
            yield Chunk(np.stack(images), labels, groups, files)
    bad.check()


def _read(path: Path) -> bytes:
    size = check_file(path)
    if size > MOST_FILE_BYTES:
        raise BadPictureError(f"its file has {size:,} bytes, more than {MOST_FILE_BYTES:,}")
    return path.read_bytes()


def _listed(folder: Path) -> dict[PartName, list[_Picture]]:
    """The pictures of each part, sorted by name."""
    split = any(SPLITS.get(path.name.lower()) == "train" and path.is_dir() for path in folder.iterdir())
    split = split and not any(path.is_file() for path in (folder / "train").glob("*.[pP][nN][gG]"))
    listed: dict[PartName, list[_Picture]] = {}
    for path in files_below(folder):
        if path.suffix.lower() in NOT_PICTURES:
            continue
        first, *rest = path.relative_to(folder).parts
        part = SPLITS.get(first.lower()) if split else "train"
        if part is None:
            raise DataError(
                f"{folder}: expected the folders train, test and validation. Received: {first} beside them."
            )
        names = rest if split else [first, *rest]
        if len(names) < 2 and part != "test":
            raise DataError(f"{path}: expected pictures in a folder for each class. Received: one outside of any.")
        listed.setdefault(part, []).append(_Picture(path, names[0] if len(names) > 1 else ""))
    for part, pictures in listed.items():
        if len({bool(picture.label) for picture in pictures}) > 1:
            raise DataError(f"{folder}: expected all pictures of {part} in folders of their class. Received: some.")
    if "train" not in listed:
        raise DataError(f"{folder}: expected pictures in folders train/<class>, or <class>. Received: none.")
    return listed


def group_finder(options: Options) -> Callable[[Path], str] | None:
    """Returns what finds the group in the name of a file; None where images are not grouped."""
    if options.group_pattern is None:
        return None
    pattern = re.compile(options.group_pattern)

    def find(path: Path) -> str:
        found = pattern.search(path.name)
        if not found:
            raise DataError(
                f"{path}: expected a name that --group-pattern {pattern.pattern!r} matches. Received: {path.name}."
            )
        return str(found[1] if pattern.groups else found[0])

    return find
