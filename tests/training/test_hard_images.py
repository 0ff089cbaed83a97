from __future__ import annotations

import numpy as np

from mnist_models.training import hard_images


def test_one_half_are_the_hardest_and_the_other_is_drawn_from_the_rest() -> None:
    hardness = np.random.default_rng(1).permutation(100).astype(np.float32) / 100
    hardest = set(np.argsort(-hardness)[:10])
    epochs = [hard_images.choose(hardness, 0.2, np.random.default_rng(seed)) for seed in (1, 2)]
    for chosen in epochs:
        assert len(set(chosen)) == len(chosen) == 20
        assert hardest <= set(chosen)
    assert set(epochs[0]) != set(epochs[1])


def test_unseen_images_come_before_the_hardest_and_all_are_chosen_once_where_the_share_is_one() -> None:
    hardness = hard_images.unseen(10)
    hard_images.note_losses(hardness, np.arange(8), np.full(8, 9.0, dtype=np.float32))
    assert {8, 9} <= set(hard_images.choose(hardness, 0.4, np.random.default_rng(1)))
    assert sorted(hard_images.choose(hardness, 1.0, np.random.default_rng(1))) == list(range(10))


def test_hardness_is_the_first_loss_and_then_half_of_each_further_one() -> None:
    hardness = hard_images.unseen(3)
    hard_images.note_losses(hardness, np.array([2, 0]), np.array([4.0, 1.0], dtype=np.float32))
    hard_images.note_losses(hardness, np.array([2]), np.array([2.0], dtype=np.float32))
    assert hardness.tolist() == [1.0, hard_images.UNSEEN, 3.0]
