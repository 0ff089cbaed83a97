"""A run's model made again, and what of it is the same."""

from __future__ import annotations

import logging

from prefect import flow

from flows.candidates import train_candidates
from flows.final_evaluation import final_evaluation
from flows.preprocessing import preprocessing
from mnist_models.foundation.settings import Settings
from mnist_models.lineage.record import Lineage
from tasks.stopping import stoppable

LOG = logging.getLogger(__name__)


@flow(name="reproduce", flow_run_name="reproduce {lineage.run}")
@stoppable
def make_again(lineage: Lineage, settings: Settings) -> bool:
    """Makes the model of a run again and returns whether its data, choice, figures and weights are the same."""
    dataset = preprocessing(settings)
    without_forms = settings.model_copy(update={"exports": None})
    made = final_evaluation(without_forms, dataset, train_candidates(settings, dataset))
    final = made.judgement
    compared = {
        "data": (lineage.dataset_fingerprint, dataset.fingerprint),
        "chosen stage": (lineage.stage, final.stage),
        "test accuracy": (lineage.test_accuracy, final.ensemble.test_accuracy),
        "test loss": (lineage.test_loss, final.ensemble.test_loss),
        "weights": (lineage.weights, made.model.weights),
    }
    for what, (then, now) in compared.items():
        LOG.info("reproduce  %s: %s", what, f"the same, {then}" if then == now else f"{then} then, {now} now")
    same = all(then == now for then, now in compared.values())
    LOG.info("reproduce  %s", "the same to the bit" if same else "not the same")
    return same
