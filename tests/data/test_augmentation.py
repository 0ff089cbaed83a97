from __future__ import annotations

import numpy as np

from mnist_models.data.augmentation import Augmentation, draw_transforms, transform


def test_shifts_move_images_by_whole_pixels() -> None:
    ranges = Augmentation(width_shift_range=0.1, height_shift_range=0.1)
    image = np.zeros((200, 28, 28, 1), dtype=np.float32)
    image[:, 14, 14] = 1
    transforms = draw_transforms(ranges, 200, (28, 28, 1), np.random.default_rng(0))
    moved = np.asarray(transform(image, transforms, ranges.kind))
    assert set(np.unique(moved)) == {0.0, 1.0}
    rows, columns = np.nonzero(moved[..., 0])[1:]
    assert set(rows) == set(columns) == set(range(11, 18))


def test_rotation_turns_about_the_center() -> None:
    ranges = Augmentation(rotation_range=0.25)
    image = np.zeros((50, 15, 15, 1), dtype=np.float32)
    image[:, 7, 7] = 1
    transforms = draw_transforms(ranges, 50, (15, 15, 1), np.random.default_rng(0))
    moved = np.asarray(transform(image, transforms, ranges.kind))
    assert np.allclose(moved[:, 7, 7], 1, atol=1e-5)
