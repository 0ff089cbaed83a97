"""The tasks that write the final model in other forms, a task each."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.export.conversion import missing_packages
from mnist_models.export.exporting import WrittenForm, ask_model, write_form
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import FileReference, digest
from mnist_models.foundation.settings import Form, Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.export import ExportedModel
from tasks.artifacts import page
from tasks.caching import DURABLE, exclusively, submit
from tasks.retrying import RETRIED
from tasks.stopping import STOPPED, stoppable
from tasks.workers.interface import Turn, Workplace
from tasks.workers.process import quiet_import
from tasks.workers.started import start_workers, workplace_of

LOG = logging.getLogger(__name__)
SOON = Turn(priority=-1)  # what all forms wait for, before forms that are yet to begin


class Shared:
    """What the model itself says: asked by the first form that is written, for all of them.

    Args:
        ask: Takes as long as a form takes.
    """

    def __init__(self, ask: Callable[[], np.ndarray]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answers: np.ndarray | None = None

    def get(self) -> np.ndarray:
        """float32 [images, classes], probabilities."""
        with self._lock:
            if self._answers is None:
                self._answers = self._ask()
            return self._answers


@task(name="export form", task_run_name="export {form}", **RETRIED, **DURABLE)
@stoppable
def export_form_task(
    form: Form,
    model: FileReference,
    dataset: DatasetReference,
    reserve: float,
    root: Address,
    place: Workplace,
    expected: Shared,
    key: str,
) -> ExportedForm:
    """Writes a form and compares it; see `mnist_models.export.exporting`."""
    written = start_workers(place).run(Turn(), write_quietly, form, model, dataset, reserve, root, key=key)
    return written.compare(expected.get(), key)


def write_quietly(*arguments: Any, key: str) -> WrittenForm:
    """Converters write to stderr what they think of their own progress; nobody asked."""
    with quiet_import():
        return write_form(*arguments, key=key)


def export_forms(model: ExportedModel, dataset: DatasetReference, settings: Settings) -> tuple[ExportedForm, ...]:
    """Writes the final model in the forms that were asked for, side by side, or finds them done.

    A form that cannot be written costs a warning, not the run.
    """
    keys = {form: _key(form, model, dataset, settings) for form in _possible(settings)}
    root = Store(settings.store).address
    ask = functools.partial(ask_model, model.file, dataset, settings.reserve, root)
    place = workplace_of(settings)
    expected = Shared(lambda: start_workers(place).run(SOON, ask))
    with exclusively(settings, *keys.values()):
        futures = {
            form: submit(
                export_form_task, settings, form, model.file, dataset, settings.reserve, root,
                place, expected, key=key,
            )
            for form, key in keys.items()
        }  # fmt: skip
        results = {form: future.result(raise_on_failure=False) for form, future in futures.items()}
    return tuple(written for form, result in results.items() if (written := _told(form, result)))


def _told(form: Form, result: ExportedForm | BaseException) -> ExportedForm | None:
    """The form that was written; None, and a warning, where that failed."""
    if isinstance(result, STOPPED):
        raise result
    if isinstance(result, BaseException):
        LOG.warning("export  %s is left out: %s: %s", form, type(result).__name__, str(result)[:300])
        return None
    LOG.info(
        "export  %s: %.2f MB, %.2f ms an image, %s of %s labels as Keras, largest difference %.1g",
        form, result.size / 1e6, result.milliseconds, f"{result.labels_equal:,}", f"{result.images:,}",
        result.largest_difference, extra=page(),
    )  # fmt: skip
    return result


def _possible(settings: Settings) -> list[Form]:
    """The forms that were asked for and whose packages are installed."""
    asked = settings.export_forms
    missing = {form: names for form in asked if (names := missing_packages(form))}
    for form, names in missing.items():
        LOG.info(
            'export  %s is left out: %s not installed (pip install -e ".[export]")',
            form,
            ", ".join(names),
            extra=page(),
        )
    return [form for form in asked if form not in missing]


def _key(form: Form, model: ExportedModel, dataset: DatasetReference, settings: Settings) -> str:
    code = code_fingerprint("export.exporting")
    return f"form-{form}-{digest([form, model.file.sha256, dataset.seal, settings.reserve, code])}"
