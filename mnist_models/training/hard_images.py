"""Selective backpropagation: which images an epoch trains on, by how hard each has been (Jiang et al. 2019)."""

from __future__ import annotations

import numpy as np

UNSEEN = 10.0  # loss of an image before it was trained on: harder than any


def unseen(count: int) -> np.ndarray:
    """Returns the hardness of images before training, float32 [count]."""
    return np.full(count, UNSEEN, dtype=np.float32)


def choose(hardness: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Returns the images of an epoch, in random order: one half the hardest so far, the other drawn from the rest.

    Args:
        hardness: float32 [n], smoothed loss of each image.
        share: Of the images, above 0 and at most 1.
        generator: Where the randomness comes from.
    """
    wanted = round(len(hardness) * share)
    order = generator.permutation(len(hardness))  # among equals, chance decides
    ranked = order[np.argsort(-hardness[order], kind="stable")]
    hardest, others = ranked[: wanted // 2], ranked[wanted // 2 :]
    return generator.permutation(np.concatenate([hardest, generator.permutation(others)[: wanted - len(hardest)]]))


def note_losses(hardness: np.ndarray, images: np.ndarray, losses: np.ndarray) -> None:
    """Takes in losses: hardness becomes the mean of the latest and what it was, or the first loss of an unseen image.

    Args:
        hardness: float32 [n]; changed in place.
        images: Which images, each once.
        losses: float32, one for each of them.
    """
    before = hardness[images]
    hardness[images] = np.where(before == UNSEEN, losses, (before + losses) / 2)
