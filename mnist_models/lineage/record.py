"""What is needed to make a run's model again, and to see that it is the same."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mnist_models.foundation.records import Record
from mnist_models.judging.export import ExportedModel
from mnist_models.lineage.command import WHERE, command
from mnist_models.report.run import Run

FILE = "lineage.json"
COMMIT_TIMEOUT = 5.0  # seconds


class MemberLineage(Record):
    """A member of the final ensemble.

    Attributes:
        seed: Of its training.
        key: Cache key of its training: specification, data and code.
    """

    seed: int
    key: str


class Lineage(Record):
    """Where a run's model comes from.

    Attributes:
        run: Name of the run.
        command: That makes it again.
        settings: All that are not about where and how fast.
        dataset_key, dataset_fingerprint: Of the data set.
        stage: The stage that validation chose.
        members: Of the final ensemble.
        final_key: Cache key of the judgement.
        model_key: Cache key of `model.keras`.
        weights: SHA-256 of the weights of `model.keras`: the same to the bit, or not.
        test_accuracy, test_loss: Of the ensemble.
        code_fingerprint: Of the code that computed all this.
        commit: Of the checkout, with "+" where files were changed; None where there is none.
        environment: Versions and machine.
    """

    run: str
    command: str
    settings: dict[str, Any]
    dataset_key: str
    dataset_fingerprint: str
    stage: str
    members: tuple[MemberLineage, ...]
    final_key: str
    model_key: str
    weights: str
    test_accuracy: float
    test_loss: float
    code_fingerprint: str
    commit: str | None
    environment: dict[str, str]

    @classmethod
    def of(cls, run: Run, model: ExportedModel, environment: Mapping[str, str], code_fingerprint: str) -> Self:
        """Returns the lineage of a run's model."""
        settings = run.settings
        named = {"data": str(settings.data.resolve())} if settings.data else {}
        return cls(
            run=run.name,
            command=command(settings),
            settings={**settings.model_dump(mode="json", exclude=WHERE), **named},
            dataset_key=run.dataset.key,
            dataset_fingerprint=run.dataset.fingerprint,
            stage=run.final.stage,
            members=tuple(MemberLineage(seed=member.spec.seed, key=member.key) for member in run.members),
            final_key=run.final.key,
            model_key=model.key,
            weights=model.weights,
            test_accuracy=run.final.ensemble.test_accuracy,
            test_loss=run.final.ensemble.test_loss,
            code_fingerprint=code_fingerprint,
            commit=commit(),
            environment=dict(environment),
        )


def read_lineage(folder: Path) -> Lineage:
    """Reads the lineage in a run's folder.

    Raises:
        ValueError: If there is none, or it is not one.
    """
    try:
        return Lineage.model_validate_json((folder / FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"Expected the folder of a run, with {FILE} in it. Received: {folder}") from None


def commit() -> str | None:
    """Returns the commit of the checkout that this package lies in, with "+" where files were changed."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMIT_TIMEOUT).stdout

    try:
        return git("rev-parse", "HEAD").strip() + ("+" if git("status", "--porcelain", "-uno").strip() else "")
    except (OSError, subprocess.SubprocessError):  # no git, or no checkout
        return None
