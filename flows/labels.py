"""Which training labels are probably wrong: `python flows/labels.py --label-folds 3` asks alone."""

from __future__ import annotations

from prefect import flow

from flows.preprocessing import preprocessing
from flows.recipe import finished_recipe, recipe_study
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from mnist_models.judging.out_of_fold import LabelReport
from running.terminal import run_alone
from tasks.labels import look_at_labels
from tasks.stopping import stoppable


@flow(name="labels", flow_run_name="labels {settings.profile}")
@stoppable
def check_labels(settings: Settings, dataset: DatasetReference | None = None) -> LabelReport | None:
    """Has each training and validation image judged by a residual network that was trained without it."""
    dataset = dataset or preprocessing(settings)
    if not settings.label_folds:
        return None
    recipe = finished_recipe(recipe_study(settings).template, settings, dataset.train + dataset.validation)
    return look_at_labels(recipe, dataset, settings)


if __name__ == "__main__":
    run_alone(check_labels)
