"""The reserve: decided by an image's own bytes, and never in a report."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.store import Store
from mnist_models.judging.evaluation import evaluate_final
from mnist_models.judging.reserve import gate_rows, in_reserve, open_rows
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec

IMAGES = np.random.default_rng(1).integers(0, 256, (400, 6, 5, 1), dtype=np.uint8)


@given(st.permutations(range(40)), st.floats(0.1, 0.9))
def test_an_image_belongs_to_it_wherever_it_lies(order: list[int], share: float) -> None:
    assert np.array_equal(in_reserve(IMAGES[order], share), in_reserve(IMAGES[:40], share)[order])


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_reserve_is_part_of_a_larger(one: float, other: float) -> None:
    smaller, larger = (in_reserve(IMAGES, share) for share in sorted((one, other)))
    assert not (smaller & ~larger).any()


def test_its_size_is_about_its_share() -> None:
    assert in_reserve(IMAGES, 0.5).mean() == pytest.approx(0.5, abs=0.1)
    assert not in_reserve(IMAGES, 0).any()


def test_gate_and_reports_share_no_image_but_all_where_nothing_is_reserved() -> None:
    gate, shown = gate_rows(IMAGES, 0.3), open_rows(IMAGES, 0.3)
    assert sorted([*gate, *shown]) == list(range(400))
    assert len(gate_rows(IMAGES, 0)) == len(open_rows(IMAGES, 0)) == 400
    with pytest.raises(ValueError, match="leaves test images to the gate. Received: 1e-06"):
        gate_rows(IMAGES, 1e-6)


def test_the_judgement_reads_nothing_of_it(store: Store, dataset: DatasetReference) -> None:
    spec = TrainingSpec(network="fully_connected", hyperparameters={"hidden_layer_size": 8, "depth": 1}, epochs=1)
    member = fit(spec, dataset, store.root, key="model-reserve", keep_weights=True)
    final = evaluate_final("stage", [member], dataset, store.root, reserve=0.5, key="final")
    whole = evaluate_final("stage", [member], dataset, store.root, key="final")
    reserved = in_reserve(read_split(store, dataset, "test").x, 0.5)
    assert final.test_images == (~reserved).sum() < whole.test_images == dataset.test
    assert {mistake.index for mistake in final.mistakes} == {
        mistake.index for mistake in whole.mistakes if not reserved[mistake.index]
    }
