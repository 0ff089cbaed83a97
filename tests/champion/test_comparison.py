"""Two real models before the gate."""

from __future__ import annotations

import pytest

from mnist_models.champion.comparison import face_champion
from mnist_models.champion.gate import Rules
from mnist_models.champion.record import Champion
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.store import Store
from mnist_models.judging.export import ExportedModel, export_ensemble
from mnist_models.judging.reserve import gate_rows
from mnist_models.training.loop import fit
from mnist_models.training.specification import TrainingSpec
from tests.champion.examples import challenger

WIDE = Rules(margin=1.0, slack=100)


def train(store: Store, dataset: DatasetReference, epochs: int) -> ExportedModel:
    spec = TrainingSpec(network="fully_connected", hyperparameters={"hidden_layer_size": 32, "depth": 1}, epochs=epochs)
    member = fit(spec, dataset, store.root, key=f"model-gate-{epochs}", keep_weights=True)
    return export_ensemble([member], dataset, store.root, key=f"export-gate-{epochs}")


def champion_of(store: Store, dataset: DatasetReference, model: ExportedModel) -> Champion:
    fields = {"classes": dataset.classes, "image_shape": dataset.image_shape, "source": dataset.source}
    return challenger(store, "unused", model=model.file, weights=model.weights, **fields)


@pytest.fixture(scope="module")
def models(store: Store, dataset: DatasetReference) -> tuple[ExportedModel, ExportedModel]:
    """One that hardly learnt, and one that did."""
    return train(store, dataset, 1), train(store, dataset, 12)


def test_the_first_is_promoted_and_measured(
    store: Store, dataset: DatasetReference, models: tuple[ExportedModel, ExportedModel]
) -> None:
    decision = face_champion(models[0].file, None, dataset, 0.0, WIDE, store.root, key="promotion")
    assert (decision.verdict, decision.reason, decision.champion) == ("promoted", "the first", None)
    assert decision.challenger == decision.published
    assert decision.published.images == dataset.test
    assert decision.published.size == models[0].file.size
    assert decision.published.milliseconds > 0


def test_a_better_one_is_promoted_and_a_worse_one_refused(
    store: Store, dataset: DatasetReference, models: tuple[ExportedModel, ExportedModel]
) -> None:
    strict = Rules(margin=0.0, slack=100)
    poor, good = models
    up = face_champion(good.file, champion_of(store, dataset, poor), dataset, 0.0, strict, store.root, key="up")
    down = face_champion(poor.file, champion_of(store, dataset, good), dataset, 0.0, strict, store.root, key="down")
    assert (up.verdict, down.verdict) == ("promoted", "refused")
    assert "is not shown to be within 0 points" in down.reason
    assert up.with_champion is not None and down.with_champion is not None
    assert up.with_champion.only_challenger == down.with_champion.only_champion
    assert up.champion is not None and up.champion.accuracy == down.challenger.accuracy


def test_only_the_gate_sees_the_reserve(
    store: Store, dataset: DatasetReference, models: tuple[ExportedModel, ExportedModel]
) -> None:
    from mnist_models.data.dataset import read_split

    decision = face_champion(
        models[0].file, champion_of(store, dataset, models[1]), dataset, 0.4, WIDE, store.root, key="reserve"
    )
    reserved = len(gate_rows(read_split(store, dataset, "test").x, 0.4))
    assert decision.with_champion is not None
    assert decision.with_champion.images == decision.challenger.images == reserved
    assert decision.published.images == dataset.test - reserved


def test_the_anchor_is_compared_with_as_well(
    store: Store, dataset: DatasetReference, models: tuple[ExportedModel, ExportedModel]
) -> None:
    poor, good = models
    fallen = Champion.model_validate(
        {**champion_of(store, dataset, poor).model_dump(exclude={"seal"}), "anchor": good.file}
    )
    decision = face_champion(poor.file, fallen, dataset, 0.0, Rules(margin=0.05, slack=9), store.root, key="anchor")
    assert decision.with_champion is not None and decision.with_champion.difference == 0
    assert decision.with_anchor is not None and decision.with_anchor.difference < 0
    assert decision.verdict == "refused"


def test_one_of_other_images_is_refused_without_a_comparison(
    store: Store, dataset: DatasetReference, models: tuple[ExportedModel, ExportedModel]
) -> None:
    other = challenger(store, "colour", image_shape=(32, 32, 3))
    decision = face_champion(models[0].file, other, dataset, 0.0, WIDE, store.root, key="foreign")
    assert decision.verdict == "refused" and decision.champion is None and decision.with_champion is None
    assert "32 × 32 × 3" in decision.reason
