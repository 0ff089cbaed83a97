"""The task that looks at a data set, and the page that shows what it found."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup
from prefect import task

from mnist_models.data.dataset import DatasetReference, FileNames
from mnist_models.data_page.labels import LabelCheck, all_suspects, labels_csv
from mnist_models.data_page.page import data_page, data_sections
from mnist_models.foundation.files import write_atomic
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.inspection.duplicates import Place
from mnist_models.inspection.inspection import Inspection, findings, inspect_dataset
from mnist_models.inspection.selection import drop_leaks
from tasks.artifacts import page
from tasks.caching import DURABLE, compute

LOG = logging.getLogger(__name__)
LATEST = "latest_data"


@task(name="inspect", task_run_name="look at the data", **DURABLE)
def inspect_task(dataset: DatasetReference, root: Address, key: str) -> Inspection:
    """Looks at a data set; see `mnist_models.inspection.inspection.inspect_dataset`."""
    return inspect_dataset(dataset, root, key=key)


@task(name="drop_leaks", task_run_name="leave out what leaks", **DURABLE)
def drop_leaks_task(dataset: DatasetReference, leaks: tuple[int, ...], root: Address, key: str) -> DatasetReference:
    """Leaves out images that leak; see `mnist_models.inspection.selection.drop_leaks`."""
    return drop_leaks(Store(root), dataset, leaks, key=key)


def look_at(dataset: DatasetReference, settings: Settings) -> DatasetReference:
    """Looks at a data set, says what was found, and writes its page.

    Returns:
        The data set; where the settings say so, without the images that leak.
    """
    inspection = inspection_of(dataset, settings)
    for finding in findings(inspection, dataset.names):
        LOG.warning("data  %s", finding, extra=page())
    _name_leaks(inspection, FileNames(Store(settings.store), dataset))
    left_out = 0
    if settings.drop_leaks and inspection.duplicates.leaks:
        left_out = len(inspection.duplicates.leaks)
        dataset = _without_leaks(dataset, inspection, settings)
        inspection = inspection_of(dataset, settings)
    write_page(dataset, inspection, settings, left_out=left_out)
    return dataset


def inspection_of(dataset: DatasetReference, settings: Settings) -> Inspection:
    """Returns what a look at a data set found, before or now."""
    code = [code_fingerprint("inspection.inspection"), version("scikit-learn")]
    key = f"inspection-{digest([dataset.fingerprint, code])}"
    inspection: Inspection
    inspection, _ = compute(inspect_task, settings, dataset, Store(settings.store).address, key=key)
    return inspection


def sections_of(dataset: DatasetReference, settings: Settings, labels: Sequence[LabelCheck] = ()) -> Markup:
    """Returns the part of a run's report that shows its data."""
    return data_sections(Store(settings.store), dataset, known_inspection(dataset, settings), labels)


def known_inspection(dataset: DatasetReference, settings: Settings) -> Inspection:
    """Returns what the run's look at a data set found, without looking again where all is to be computed anew."""
    return inspection_of(dataset, settings.model_copy(update={"refresh": False}))


def write_page(
    dataset: DatasetReference,
    inspection: Inspection,
    settings: Settings,
    labels: Sequence[LabelCheck] = (),
    left_out: int = 0,
) -> Path:
    """Writes a data set's page, and the table of doubtful labels where there is one, and points `latest_data` there."""
    store = Store(settings.store)
    folder = store.root / "looks" / dataset.fingerprint[:16]
    if labels:
        write_atomic(folder / "labels.csv", labels_csv(all_suspects(labels), dataset.names, FileNames(store, dataset)))
    path = folder / "data.html"
    write_atomic(path, data_page(dataset, data_sections(store, dataset, inspection, labels, left_out)))
    _point_latest(store, folder)
    store.share(folder.relative_to(store.root))
    LOG.info("data  %s", store.root / LATEST / "data.html", extra=page())
    return path


def _without_leaks(dataset: DatasetReference, inspection: Inspection, settings: Settings) -> DatasetReference:
    leaks = inspection.duplicates.leaks
    key = f"dataset-{digest([dataset.fingerprint, leaks, code_fingerprint('inspection.selection')])}"
    derived: DatasetReference
    derived, _ = compute(drop_leaks_task, settings, dataset, leaks, Store(settings.store).address, key=key)
    LOG.info("data  %d images that leak are left out: %s to train, %s to validate", len(leaks),
             f"{derived.train:,}", f"{derived.validation:,}", extra=page())  # fmt: skip
    return derived


def _name_leaks(inspection: Inspection, files: FileNames) -> None:
    def place(image: Place) -> str:
        return f"{image.split} {files.of(image.split, image.index) or image.index}"

    across = [twins for twins in inspection.duplicates.twins if twins.first.split != twins.second.split]
    if across:
        some = ", ".join(f"{place(twins.first)} = {place(twins.second)}" for twins in across[:10])
        LOG.warning("data  shared by splits: %s%s", some, " …" if len(across) > 10 else "", extra=page())


def _point_latest(store: Store, folder: Path) -> None:
    temporary = store.root / f".{LATEST}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(store.root))
    temporary.replace(store.root / LATEST)
