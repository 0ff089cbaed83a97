"""The plots of a run, drawn once: a run with the results of the one before shows the same pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.files import DamagedFileError, pack, unpack, write_atomic
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.judging.evaluation import FinalResult
from mnist_models.report.run import StageResult

FEW_COLOURS = 32  # for a plot of many lines, which would else take more than the UI shows


def pictures(
    stages: Sequence[StageResult],
    final: FinalResult,
    dataset: DatasetReference,
    mistake_images: np.ndarray,
    kept: Path | None = None,
) -> dict[str, bytes]:
    """Returns the PNG of each plot by its name.

    Args:
        stages: In the order of the pipeline.
        final: The judgement on the test set.
        dataset: What was trained on.
        mistake_images: uint8 [n, height, width, 1 or 3]: the first test images of `final.mistakes`.
        kept: A file that holds the pictures of the last call; where they show the same, they are not drawn again.
    """
    shown = [stage.model_dump(mode="json", exclude={"cached"}) for stage in stages]
    images = hashlib.sha256(mistake_images.tobytes()).hexdigest()
    code = [code_fingerprint("report.pictures"), version("matplotlib")]
    key = digest([shown, final.seal, dataset.seal, images, code])
    try:
        found, state = unpack(kept) if kept else ({}, {})
    except DamagedFileError:  # or none yet
        found, state = {}, {}
    if found and state == {"key": key}:
        return {name: picture.tobytes() for name, picture in found.items()}
    drawn = dict(_draw(stages, final, dataset, mistake_images))
    if kept:
        write_atomic(kept, pack({name: np.frombuffer(png, np.uint8) for name, png in drawn.items()}, {"key": key}))
    return drawn


def _draw(
    stages: Sequence[StageResult], final: FinalResult, dataset: DatasetReference, mistake_images: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """Draws one plot at a time, so that only one figure is alive."""
    from mnist_models.report import judgement_plots, plots, training_plot  # matplotlib takes half a second to import
    from mnist_models.report.drawing import render

    yield "comparison", render(plots.comparison(stages, final.stage, final, dataset.validation))
    for stage in stages:
        yield f"training_{stage.name}", render(training_plot.training_curves(stage))
        yield from _draw_study(stage)
    yield "confusion_matrix", render(judgement_plots.confusion_matrix(final, dataset.names))
    yield "reliability", render(judgement_plots.reliability(final.quality.calibration))
    if final.quality.curves:
        yield "curves", render(judgement_plots.curves(final.quality.curves, dataset.names[1]))
    if final.mistakes and len(mistake_images):
        yield "mistakes", render(judgement_plots.mistakes(final, mistake_images, dataset.names))


def _draw_study(stage: StageResult) -> Iterator[tuple[str, bytes]]:
    from mnist_models.report.drawing import render
    from mnist_models.report.studies import coordinates, finalists, study_plot

    if stage.decision and stage.decision.finalists:
        yield f"finalists_{stage.name}", render(finalists.finalists(stage.name, stage.decision))
    if stage.trials:
        yield f"study_{stage.name}", render(study_plot.study(stage))
    if len(coordinates.shown_names(stage)) > 1:
        yield f"hyperparameters_{stage.name}", render(coordinates.hyperparameters(stage), colours=FEW_COLOURS)
