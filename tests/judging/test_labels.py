"""Labels that are probably wrong: those that were planted are found, by networks that never saw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import preprocess
from mnist_models.foundation.store import Store
from mnist_models.judging.confident_learning import confidence_thresholds, doubt, suspects
from mnist_models.judging.out_of_fold import deal_out, judge_fold, judge_labels
from mnist_models.training.specification import TrainingSpec

SURE = np.array(
    [
        [0.9, 0.1, 0.0],
        [0.7, 0.3, 0.0],
        [0.2, 0.8, 0.0],  # labelled 0, and as much a 1 as those are
        [0.1, 0.9, 0.0],
        [0.45, 0.55, 0.0],  # labelled 1
        [0.5, 0.45, 0.05],  # labelled 1: more of a 0, but not as sure as those are
    ]
)
LABELS = np.array([0, 0, 0, 1, 1, 1])


def test_confident_learning_by_hand() -> None:
    assert np.allclose(confidence_thresholds(SURE, LABELS), [0.6, (0.9 + 0.55 + 0.45) / 3, np.inf])
    found = doubt(SURE, LABELS)
    assert found.wrong.tolist() == [False, False, True, False, False, False]
    assert found.suggested.tolist() == [1, 1, 1, 0, 0, 0]
    assert np.allclose(found.scores, [0.8, 0.4, -0.6, 0.8, 0.1, -0.05])
    named = suspects(found, LABELS, lambda row: ("validation", row + 100))
    assert [(one.split, one.index, one.given, one.suggested, one.wrong) for one in named[:2]] == [
        ("validation", 102, 0, 1, True), ("validation", 105, 1, 0, False),
    ]  # fmt: skip


def test_what_is_named_first_is_most_doubtful_and_all_that_is_wrong_is_named() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4) / 4, 400)
    labels = probabilities.argmax(axis=1)
    labels[:80] = (labels[:80] + 1) % 4
    found = doubt(probabilities, labels)
    rows = found.ranked()
    assert np.all(np.diff(found.scores[rows]) >= 0)
    assert set(np.flatnonzero(found.wrong)) <= set(rows)
    assert found.wrong[80:].sum() == 0 and found.wrong[:80].mean() > 0.5


@settings(deadline=None)  # a loaded machine is not a mistake
@given(arrays.arrays(np.int32, st.integers(1, 200), elements=st.integers(0, 6)), st.integers(2, 5))
def test_each_class_is_dealt_out_evenly(labels: np.ndarray, folds: int) -> None:
    fold = deal_out(labels, folds)
    assert len(fold) == len(labels)
    for label in np.unique(labels):
        sizes = np.bincount(fold[labels == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_planted_errors_are_found_out_of_fold(tmp_path: Path) -> None:
    store = Store(tmp_path)
    clean = preprocess(store, data=None, images=1200, seed=1, key="dataset")
    labels = np.array(read_split(store, clean, "train+validation").y)
    planted = np.arange(0, len(labels), 40)
    labels[planted] = (labels[planted] + 3) % 10
    files = {**clean.files, "y_train": store.write_array("datasets/planted/y_train.npy", labels)}
    dataset = DatasetReference(
        **{**dict(clean), "seal": "", "fingerprint": "ef" * 32, "files": files},
    )
    network = {"hidden_layer_size": 128, "depth": 2}
    spec = TrainingSpec(
        network="fully_connected", hyperparameters=network, epochs=12, split="train+validation", keep="last"
    )
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    results = [
        judge_fold(spec, dataset, number, 2, tmp_path, key=f"fold-{number}", checkpoint=f"checkpoints/{number}.npz")
        for number in range(2)
    ]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == {
        store.verify(result.probabilities) for result in results
    }
    report = judge_labels(results, dataset, tmp_path, key="labels")
    found = {one.index + (dataset.train if one.split == "validation" else 0) for one in report.suspects if one.wrong}
    assert len(found & set(planted.tolist())) > 0.7 * len(planted)
    assert len(found) == report.wrong < 4 * len(planted)
    assert report.images == 1200 and 0.7 < report.accuracy < 0.97
    again = judge_fold(spec, dataset, 0, 2, tmp_path, key="fold-0", checkpoint="checkpoints/0.npz")
    assert again.probabilities == results[0].probabilities
