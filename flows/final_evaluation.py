"""Stage 10: the model that validation chose, trained on all training images, judged on the test set and written out."""

from __future__ import annotations

from typing import NamedTuple

from prefect import flow

from flows.beginning import begin
from flows.candidates import plan_candidates, train_candidates
from mnist_models.data.dataset import DatasetReference
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.settings import Settings
from mnist_models.judging.evaluation import FinalResult
from mnist_models.judging.export import ExportedModel
from mnist_models.report.run import StageResult
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from running.terminal import run_alone
from tasks.evaluation import export_members, judging_members
from tasks.exporting import export_forms
from tasks.progress import PROGRESS
from tasks.stopping import stoppable
from tasks.training import train_models


class Final(NamedTuple):
    """The final model: what the test set says of it, its members, its file and its other forms."""

    judgement: FinalResult
    members: list[TrainingResult]
    model: ExportedModel
    forms: tuple[ExportedForm, ...]


@flow(name="final", flow_run_name="final {settings.profile}")
@stoppable
def final_evaluation(
    settings: Settings, dataset: DatasetReference | None = None, stages: list[StageResult] | None = None
) -> Final:
    """Trains the candidate of the lowest validation loss on all training images, once a seed, tests and exports it."""
    settings, dataset = begin(settings, dataset, "full_pipeline", plan_candidates)  # it needs all stages, too
    chosen = choose(stages or train_candidates(settings, dataset))
    specs = {f"final seed {spec.seed}": spec for spec in member_specs(chosen, settings)}
    members = [member for member, _ in train_models(specs, dataset, settings)]
    with judging_members(chosen.name, members, dataset, settings) as judgement:
        model = export_members(members, dataset, settings)
        forms = export_forms(model, dataset, settings)
    PROGRESS.drop("final")
    return Final(judgement(), members, model, forms)


def choose(stages: list[StageResult]) -> StageResult:
    """Returns the stage whose model has the lowest validation loss."""
    return min(stages, key=lambda stage: _or_infinity(stage.model.metric("val_loss")))


def member_specs(chosen: StageResult, settings: Settings) -> list[TrainingSpec]:
    """The chosen model's training on all training images, for the epochs that validation found, once per seed."""
    return [
        chosen.model.spec.model_copy(
            update={
                "split": "train+validation",
                "epochs": chosen.model.best_epoch,
                "shares": chosen.model.spec.shares and chosen.model.spec.shares[: chosen.model.best_epoch],
                "patience": None,
                "keep": "last",
                "seed": settings.seed + number,
            }
        )
        for number in range(settings.final_seeds)
    ]


def _or_infinity(loss: float | None) -> float:
    return float("inf") if loss is None else loss


if __name__ == "__main__":
    run_alone(final_evaluation)
