"""The data page: what was found in a data set, in one file that needs no other; and its part of a run's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import mnist_models.report
from mnist_models.data.dataset import DatasetReference, FileNames, Images
from mnist_models.data_page.labels import LabelCheck
from mnist_models.data_page.pictures import ink_on_paper, strip
from mnist_models.foundation.store import Store
from mnist_models.inspection.chunks import Split, read_splits
from mnist_models.inspection.inspection import Inspection, findings
from mnist_models.inspection.near import ALIKE
from mnist_models.judging.confident_learning import SHOWN, Suspect
from mnist_models.report.words import decimal, percent, title

EXAMPLES = 10  # of a class
FEWER_EXAMPLES = 6  # where there are many classes
MANY_CLASSES = 40
SHOWN_PAIRS = 24
FOLDERS = [Path(__file__).parent, Path(mnist_models.report.__file__).parent]


def data_page(dataset: DatasetReference, sections: Markup) -> bytes:
    """Returns the page of a data set, HTML in UTF-8.

    Args:
        dataset: Which.
        sections: From `data_sections`.
    """
    return _environment().get_template("data.html.jinja").render(dataset=dataset, sections=sections).encode()


def data_sections(
    store: Store,
    dataset: DatasetReference,
    inspection: Inspection,
    labels: Sequence[LabelCheck] = (),
    left_out: int = 0,
) -> Markup:
    """Returns what was found in a data set, with pictures: the body of its page, and a part of a run's report.

    Args:
        store: The store that holds the data set.
        dataset: Which.
        inspection: What was found.
        labels: What is thought of its labels; none where nobody looked.
        left_out: Number of images that it had before, and that leak.

    Raises:
        DamagedFileError: If a file of the data set is missing or is not what was written.
    """
    album, files = _Album(read_splits(store, dataset)), FileNames(store, dataset)
    train = inspection.split("train")
    text = (
        _environment()
        .get_template("data_sections.html.jinja")
        .render(
            dataset=dataset,
            names=dataset.names,
            file_of=files.of,
            inspection=inspection,
            findings=findings(inspection, dataset.names),
            largest=max(train.counts),
            ink=album.ink,
            examples=album.examples(dataset.classes),
            pairs=[(twins, album.pair(twins)) for twins in inspection.duplicates.twins[:SHOWN_PAIRS]],
            labels=[(check, album.suspects(check.suspects[:SHOWN])) for check in labels],
            alike=ALIKE,
            left_out=left_out,
        )
    )
    return Markup(text)  # the template escaped what it was given


class _Album:
    """The images that a page shows."""

    def __init__(self, splits: dict[Split, Images]) -> None:
        self.splits = splits
        self.ink = ink_on_paper(np.asarray(splits["train"].x[:200]))

    def examples(self, classes: int) -> list[str]:
        """A strip of the first training images of each class; "" where there is none."""
        images = self.splits["train"]
        most = EXAMPLES if classes <= MANY_CLASSES else FEWER_EXAMPLES
        order = np.argsort(images.y, kind="stable")
        ends = np.searchsorted(images.y[order], np.arange(classes + 1))
        chosen = [order[low : min(high, low + most)] for low, high in zip(ends, ends[1:], strict=False)]
        return [self._strip(images.x[np.sort(rows)]) if len(rows) else "" for rows in chosen]

    def pair(self, twins: Any) -> str:
        """Two images side by side."""
        return self._strip(np.stack([self.splits[p.split].x[p.index] for p in (twins.first, twins.second)]))

    def suspects(self, suspects: Sequence[Suspect]) -> list[tuple[Suspect, str]]:
        """Each with its picture."""
        return [(suspect, self._strip(self.splits[suspect.split].x[[suspect.index]])) for suspect in suspects]

    def _strip(self, pixels: np.ndarray) -> str:
        return strip(np.asarray(pixels), inverted=self.ink)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(title=title, percent=percent, decimal=decimal)
    return environment
