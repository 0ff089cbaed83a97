"""The tasks that look for wrong labels among the training and validation images."""

from __future__ import annotations

import logging

from prefect import task

from mnist_models.data.dataset import DatasetReference
from mnist_models.data_page.labels import check_of_training
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.out_of_fold import FoldResult, LabelReport, judge_fold, judge_labels
from mnist_models.report.words import percent
from mnist_models.training.specification import TrainingSpec
from tasks.artifacts import page
from tasks.caching import DURABLE, compute, exclusively, submit
from tasks.inspection import known_inspection, write_page
from tasks.planning import plan_models
from tasks.progress import PROGRESS
from tasks.retrying import RETRIED
from tasks.stopping import stoppable
from tasks.suiting import suited
from tasks.workers.interface import Turn, Workplace
from tasks.workers.started import start_workers, workers_of, workplace_of

LOG = logging.getLogger(__name__)
STAGE = "labels"


@task(name="judge_fold", task_run_name="labels fold {number}", **RETRIED, **DURABLE)
@stoppable
def judge_fold_task(
    number: int, spec: TrainingSpec, dataset: DatasetReference, folds: int, root: Address, place: Workplace, key: str
) -> FoldResult:
    """Trains on all folds but one in a worker process; see `mnist_models.judging.out_of_fold.judge_fold`."""
    name = f"fold {number}"
    turn = Turn(begun=lambda: PROGRESS.begin(STAGE, name))
    checkpoint = f"checkpoints/{key}.npz"
    result = start_workers(place).run(
        turn, judge_fold, spec, dataset, number - 1, folds, root, key=key, checkpoint=checkpoint
    )
    PROGRESS.end(STAGE, name, None)
    return result


@task(name="judge_labels", task_run_name="judge the labels", **DURABLE)
def judge_labels_task(results: list[FoldResult], dataset: DatasetReference, root: Address, key: str) -> LabelReport:
    """Judges all labels; see `mnist_models.judging.out_of_fold.judge_labels`."""
    return judge_labels(results, dataset, root, key=key)


def look_at_labels(spec: TrainingSpec, dataset: DatasetReference, settings: Settings) -> LabelReport:
    """Returns what networks think of labels that they were not trained on, and shows it on the data page.

    Args:
        spec: How to train them.
        dataset: Whose labels.
        settings: How many folds, where, and with how many workers.
    """
    spec = suited(STAGE, spec, dataset, settings).model_copy(update={"split": "train+validation"})
    results = _judge_folds(spec, dataset, settings)
    code = code_fingerprint("judging.out_of_fold")
    key = f"labels-{digest([[result.key for result in results], dataset.fingerprint, code])}"
    report: LabelReport
    report, _ = compute(judge_labels_task, settings, results, dataset, Store(settings.store).address, key=key)
    LOG.info(
        "labels  %s of %s labels are probably wrong, by %d networks that are right on %s",
        f"{report.wrong:,}", f"{report.images:,}", report.folds, percent(report.accuracy), extra=page(),
    )  # fmt: skip
    write_page(dataset, known_inspection(dataset, settings), settings, [check_of_training(report)])
    return report


def _judge_folds(spec: TrainingSpec, dataset: DatasetReference, settings: Settings) -> list[FoldResult]:
    folds, root = settings.label_folds, Store(settings.store).address
    plan_models({f"{STAGE} fold {number}": spec for number in range(1, folds + 1)}, dataset, new=True)
    PROGRESS.workers = workers_of(settings)
    code = code_fingerprint("judging.out_of_fold", f"networks.{spec.network}")
    content = [spec.model_dump(mode="json"), dataset.fingerprint, folds, code]
    keys = {number: f"fold-{digest([*content, number])}" for number in range(1, folds + 1)}
    with exclusively(settings, *keys.values()):
        futures = [
            submit(judge_fold_task, settings, number, spec, dataset, folds, root, workplace_of(settings), key=key)
            for number, key in keys.items()
        ]
        results = [future.result() for future in futures]
    PROGRESS.drop(STAGE)
    return results
