"""What a model says of pictures, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mnist_models.foundation.records import Record

if TYPE_CHECKING:
    import numpy as np  # which would take most of the time of --help

Format = Literal["table", "csv", "json"]
DECIMALS = 6  # of a probability


class Answer(Record):
    """What a model says of one picture.

    Attributes:
        file: The picture's name.
        label: Name of the most probable class.
        probability: Of that class.
        runner_up: Name of the second most probable class.
    """

    file: str
    label: str
    probability: float
    runner_up: str


class Answers(Record):
    """What a model says of pictures, in the order in which they were given.

    Attributes:
        model: Who answers.
        answers: One per picture.
    """

    model: str
    answers: tuple[Answer, ...]


def answer(file: str, probabilities: np.ndarray, class_names: Sequence[str]) -> Answer:
    """Returns what a model says of one picture.

    Args:
        file: The picture's name.
        probabilities: float32 [classes].
        class_names: One per class.
    """
    second, first = probabilities.argsort(kind="stable")[-2:]
    return Answer(
        file=file,
        label=class_names[first],
        probability=round(float(probabilities[first]), DECIMALS),
        runner_up=class_names[second],
    )


def render(answers: Sequence[Answer], form: Format) -> str:
    """Writes answers as JSON (a list of objects), as CSV with a header, or as a table for people."""
    return {"json": _as_json, "csv": _as_csv, "table": _as_table}[form](answers)


def _as_json(answers: Sequence[Answer]) -> str:
    lines = ",\n".join(f"  {json.dumps(one.model_dump(), ensure_ascii=False)}" for one in answers)
    return f"[\n{lines}\n]\n"


def _as_csv(answers: Sequence[Answer]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Answer.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(one.model_dump() for one in answers)
    return text.getvalue()


def _as_table(answers: Sequence[Answer]) -> str:
    rows = [("file", "label", "probability", "runner-up")]
    rows += [(one.file, one.label, f"{100 * one.probability:.2f} %", one.runner_up) for one in answers]
    files, labels, shares, seconds = (max(len(row[column]) for row in rows) for column in range(4))
    lines = [f"{f:<{files}}  {la:<{labels}}  {p:>{shares}}  {r:<{seconds}}".rstrip() for f, la, p, r in rows]
    return "\n".join(lines) + "\n"
