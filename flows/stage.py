"""What every stage does: train one network, or search and train the winner anew."""

from __future__ import annotations

from mnist_models.config import Settings
from mnist_models.dataset import DatasetReference
from mnist_models.study import StageResult, Study
from mnist_models.training import TrainingResult, TrainingSpec
from tasks.training import submit_training
from tasks.tuning import run_study


def train_model(name: str, spec: TrainingSpec, dataset: DatasetReference, settings: Settings) -> StageResult:
    """Trains one network and keeps its weights."""
    model, cached = _train(f"{name} model", name, spec, dataset, settings)
    return StageResult(name=name, model=model, cached=cached)


def tune(
    study: Study, dataset: DatasetReference, settings: Settings, *, epochs: int, patience: int | None
) -> StageResult:
    """Runs a study and trains its winner from scratch, so that nothing is inherited from the search.

    Args:
        study: What to search.
        dataset: On what to train.
        settings: Where, and with how many workers.
        epochs: At most so many for the winner.
        patience: Stop the winner after so many epochs without a lower validation loss.
    """
    result, study_cached = run_study(study, dataset, settings)
    winner = study.spec(result.best.values, epochs).model_copy(update={"patience": patience})
    model, model_cached = _train(f"{study.name} winner", study.name, winner, dataset, settings)
    return StageResult(
        name=study.name, model=model, trials=result.trials, cached=study_cached and model_cached
    )


def _train(
    name: str, folder: str, spec: TrainingSpec, dataset: DatasetReference, settings: Settings
) -> tuple[TrainingResult, bool]:
    future = submit_training(name, spec, dataset, settings, f"{folder}-model", keep_weights=True)
    model: TrainingResult = future.result()
    return model, future.state.name == "Cached"
