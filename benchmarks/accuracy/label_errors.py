"""Labels that are wrong, and whether they are found: those of MNIST's test set, and those that we plant.

    python -m benchmarks.accuracy.label_errors

Test set: final stages of `standard`, as the pipeline trains them, rank all 10,000 labels; counted is how many of the
fifteen that people found wrong are among the first fifty. Peer: the candidates of Northcutt, Athalye and Mueller 2021,
of whom five people were asked each, by their own networks (github.com/cleanlab/label-errors, `mturk/mnist_mturk.json`:
the fifteen are the labels that at most two of five agreed with).

Planted: of 12,000 training and validation images one label in a hundred is changed to another at random; three folds,
trained as in `quick`, judge them all. Counted is how many of those that are planted count as wrong, and how many of
those that count as wrong are planted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.accuracy.final_accuracy import FIRST_SEED, final_stage
from benchmarks.comparison import Figure, Ratio, arguments, report
from flows.recipe import finished_recipe, recipe_study
from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.judging.out_of_fold import LabelReport, judge_fold, judge_labels
from mnist_models.training.specification import TrainingSpec
from tasks.workers.interface import Turn
from tasks.workers.local import LocalPool

FOUND_WRONG = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
FIRST = 50
FOLDS = 3
PLANTED_IMAGES = 12_000
PLANTED_SHARE = 0.01
MEMBERS = 2


def known_errors_found(
    recipe: TrainingSpec, dataset: DatasetReference, root: Path, pool: LocalPool, first_seed: int
) -> tuple[int, int]:
    """Trains a final stage; returns the known errors among its first fifty, and the labels that count as wrong."""
    changes = [{"split": "train+validation", "seed": seed} for seed in range(first_seed, first_seed + MEMBERS)]
    final, _ = final_stage([recipe.model_copy(update=change) for change in changes], dataset, root, pool)
    first = {suspect.index for suspect in final.suspects[:FIRST]}
    return len(first & set(FOUND_WRONG)), final.set_aside


def plant(store: Store, dataset: DatasetReference, seed: int) -> tuple[DatasetReference, np.ndarray]:
    """Returns the data set with wrong labels among its training and validation images, and their rows."""
    labels = np.array(read_split(store, dataset, "train+validation").y)
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(len(labels), round(PLANTED_SHARE * len(labels)), replace=False))
    labels[rows] = (labels[rows] + generator.integers(1, dataset.classes, len(rows))) % dataset.classes
    files = {**dataset.files, "y_train": store.write_array(f"datasets/planted-{seed}/y_train.npy", labels)}
    kept = {name: getattr(dataset, name) for name in DatasetReference.model_fields if name != "seal"}
    return DatasetReference(**{**kept, "fingerprint": f"planted-{seed}-{dataset.fingerprint}", "files": files}), rows


def judge(recipe: TrainingSpec, dataset: DatasetReference, root: Path, pool: LocalPool) -> LabelReport:
    """Judges all labels, as `flows/labels.py` does."""
    spec = recipe.model_copy(update={"split": "train+validation"})
    with ThreadPoolExecutor(FOLDS) as threads:
        keys = [f"fold-{number}" for number in range(FOLDS)]
        results = threads.map(
            lambda number: pool.run(
                Turn(), judge_fold, spec, dataset, number, FOLDS, root, key=keys[number],
                checkpoint=f"checkpoints/{keys[number]}.npz",
            ),
            range(FOLDS),
        )  # fmt: skip
        return judge_labels(list(results), dataset, root, key="labels")


def shares_found(labels: LabelReport, dataset: DatasetReference, rows: np.ndarray) -> tuple[float, float]:
    """Of the planted errors those that count as wrong, and of those that count as wrong the planted ones; percent."""
    firsts = {"train": 0, "validation": dataset.train}
    wrong = {firsts[suspect.split] + suspect.index for suspect in labels.suspects if suspect.wrong}
    both = len(wrong & set(rows.tolist()))
    return 100 * both / len(rows), 100 * both / max(len(wrong), 1)


def usual_recipe(dataset: DatasetReference, settings: Settings) -> TrainingSpec:
    """The recipe that searches start from, trained as long as the settings say."""
    return finished_recipe(recipe_study(settings).template, settings, dataset.train + dataset.validation)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Runs both parts."""
    settings = Settings(epoch_images=1_000, final_epochs=1.0) if options.quick else Settings()
    with tempfile.TemporaryDirectory() as folder, closing(LocalPool(options.workers)) as pool:
        store = Store(Path(folder))
        dataset = preprocess(store, data=None, images=600 if options.quick else None, seed=1, key="benchmark")
        recipe = usual_recipe(dataset, settings)
        seeds = range(FIRST_SEED, FIRST_SEED + MEMBERS * options.ensembles, MEMBERS)
        tests = [known_errors_found(recipe, dataset, store.root, pool, seed) for seed in seeds]
        some = preprocess(store, data=None, images=600 if options.quick else PLANTED_IMAGES, seed=1, key="some")
        planted, rows = plant(store, some, seed=1)
        longer = settings if options.quick else Settings(epoch_images=some.train + some.validation, final_epochs=5.0)
        found, right = shares_found(judge(usual_recipe(planted, longer), planted, store.root, pool), planted, rows)
    return [
        Figure(
            f"ours: known test errors among the first {FIRST}, of {len(FOUND_WRONG)}", "", [known for known, _ in tests]
        ),
        Figure("ours: test labels that count as wrong", "", [wrong for _, wrong in tests]),
        Figure("Northcutt 2021: known test errors among the 100 that people were asked about", "", [len(FOUND_WRONG)]),
        Figure(f"ours: planted errors that count as wrong, {FOLDS} folds", "%", [found]),
        Figure("ours: of those that count as wrong, planted", "%", [right]),
    ]


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--ensembles", type=int, default=3, metavar="N", help="final stages (default: 3)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), metavar="N", help="trainings at a time (default: all cores)"
    )
    options = parser.parse_args()
    if options.quick:
        options.ensembles = 1
    figures = measure(options)
    claims = [
        Ratio(f"known errors among the first {FIRST}, of all {len(FOUND_WRONG)}", figures[0].median / len(FOUND_WRONG))
    ]
    report("Labels that are probably wrong", figures, claims, options)


if __name__ == "__main__":
    main()
