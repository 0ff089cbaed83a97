"""Doubtful labels: how they were found, in words, and all of them as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_models.data.dataset import FileNames
from mnist_models.judging.confident_learning import Suspect
from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.out_of_fold import LabelReport
from mnist_models.report.words import percent


@dataclass(frozen=True)
class LabelCheck:
    """Doubtful labels and how they were found.

    Attributes:
        words: By which networks, and how many labels count as wrong.
        suspects: The most doubtful first.
    """

    words: str
    suspects: tuple[Suspect, ...]


def check_of_test(final: FinalResult) -> LabelCheck:
    """What the final ensemble, which never saw them, thinks of the labels of the test images."""
    words = (
        f"Test set, judged by the final ensemble: {final.set_aside:,} of {final.test_images:,} labels count as wrong. "
        f"Test accuracy is {percent(final.ensemble.test_accuracy)}"
    )
    if final.without_suspects:
        words += f", and {percent(final.without_suspects.test_accuracy)} with these set aside"
    return LabelCheck(words=f"{words}.", suspects=final.suspects)


def check_of_training(report: LabelReport) -> LabelCheck:
    """What networks think of training and validation images that they were not trained on."""
    words = (
        f"Training and validation images, each judged by one of {report.folds} networks that was trained without it: "
        f"{report.wrong:,} of {report.images:,} labels count as wrong. "
        f"The networks take {percent(report.accuracy)} of the images for what they are labelled as."
    )
    return LabelCheck(words=words, suspects=report.suspects)


def all_suspects(checks: Sequence[LabelCheck]) -> list[Suspect]:
    """The doubtful labels of several checks, the most doubtful first."""
    return sorted((suspect for check in checks for suspect in check.suspects), key=lambda suspect: suspect.score)


def labels_csv(suspects: Sequence[Suspect], names: Sequence[str], files: FileNames | None = None) -> bytes:
    """Returns a table of doubtful labels, a row each, the most doubtful first.

    Args:
        suspects: What doubts there are.
        names: Of the classes.
        files: What the images' files are called; empty in the table where they have none.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["index", "split", "given", "suggested", "score", "wrong", "file"])
    for suspect in suspects:
        given, suggested = names[suspect.given], names[suspect.suggested]
        file = files.of(suspect.split, suspect.index) if files else ""
        score = f"{suspect.score:.6f}"
        writer.writerow([suspect.index, suspect.split, given, suggested, score, int(suspect.wrong), file])
    return buffer.getvalue().encode()
