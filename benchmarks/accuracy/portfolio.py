"""Which combinations of the CNN's space are worth trying first, whatever the images: what its portfolio is chosen from.

    python -m benchmarks.accuracy.portfolio [--combinations N] [--quick] [--json FILE]

Trains the baseline's combination, at two learning rates, and others from all over the space to their ends (50,000
images, on a rate that falls to zero), on MNIST, on scikit-learn's digits, and on 12,000 of MNIST's before photographs.
The rotated and noisy images on which `search_quality` judges the searches, too, have no say. Ranks them by the mean
over all three of the loss's logarithm; `flows/cnn.py` has the first three (a portfolio: Feurer et al. 2015).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.comparison import Figure, arguments, report
from benchmarks.searches.finding import Task
from benchmarks.searches.trainings import study_of, train_anew
from benchmarks.variants.variants import write
from flows.cnn import BASELINE, finished
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.search.spaces import search_space
from mnist_models.search.study import apply_values
from mnist_models.surrogate.proposals import initial_design
from mnist_models.surrogate.values import Values

DATA = ("mnist", "digits", "photographs")
PRINTED = 8  # of the combinations


def digits(folder: Path) -> Path:
    """Writes scikit-learn's 1,797 digits of 8 × 8 pixels as an .npz that `--data` takes; a fifth is for testing."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = np.rint(found.images * 255 / 16).astype(np.uint8), found.target.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = np.split(order, [len(order) * 4 // 5])
    path = folder / "digits.npz"
    np.savez(path, x_train=images[train], y_train=labels[train], x_test=images[test], y_test=labels[test])
    return path


def source(data: str, folder: Path) -> Path | None:
    """What `--data` takes for a data set: nothing for MNIST itself."""
    if data == "mnist":
        return None
    return digits(folder) if data == "digits" else write(data, folder)


def candidates(count: int) -> list[Values]:
    """What the search starts from, the same at the greatest rate, and combinations from all over the space."""
    spread = initial_design(search_space("cnn_bayesian"), count, np.random.default_rng(7))
    return [{**BASELINE, "learning_rate": 1e-3}, {**BASELINE, "learning_rate": 1e-2}, *spread]


def losses(data: str, combinations: list[Values], folder: Path, *, quick: bool) -> list[float]:
    """Validation losses in nats of combinations trained to their ends."""
    store = Store(folder / data)
    dataset = preprocess(store, data=source(data, folder), images=600 if quick else None, seed=1, key="dataset")
    task = Task(space="cnn_bayesian", dataset=dataset, root=store.root, seconds=0.0, seed=1)
    template, settings = study_of(task).template, Settings(cnn_epochs=1.0, epoch_images=2_500 if quick else 50_000)
    return train_anew([finished(apply_values(template, one), settings, dataset) for one in combinations], task)


def main(options: argparse.Namespace) -> None:
    """Trains them, and prints where the search starts, and the best."""
    combinations = candidates(2 if options.quick else options.combinations)
    with tempfile.TemporaryDirectory(prefix="portfolio-") as folder:
        found = np.stack([losses(data, combinations, Path(folder), quick=options.quick) for data in DATA], axis=1)
    means = np.log(found).mean(axis=1)
    figures = []
    for place, row in enumerate([0, *np.argsort(means, kind="stable")[:PRINTED]]):
        name = (f"{place}. " if place else "start: ") + ", ".join(str(value) for value in combinations[row].values())
        figures += [Figure(f"{name}: {data}", "nats", [found[row, i]]) for i, data in enumerate(DATA)]
    report("Portfolio of the CNN's search", figures, [], options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--combinations", type=int, default=40, metavar="N", help="to train (default: 40)")
    main(parser.parse_args())
