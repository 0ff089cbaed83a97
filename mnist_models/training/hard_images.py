"""Selective backpropagation: which images an epoch trains on, by how hard each has been (Jiang et al. 2019)."""

from __future__ import annotations

import numpy as np

UNSEEN = 10.0  # loss of an image before it was trained on: harder than any


def unseen(count: int) -> np.ndarray:
    """Returns the hardness of images before training, float32 [count]."""
    return np.full(count, UNSEEN, dtype=np.float32)


def choose(hardness: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Returns the images of an epoch: whole passes in random order, then a part of one with the hardest.

    One half of the part are the hardest so far, the other is drawn at random from the rest.

    Args:
        hardness: float32 [n], smoothed loss of each image.
        share: Number of passes, above 0.
        generator: Where the randomness comes from.
    """
    wanted = max(round(len(hardness) * share), 1)
    passes, part = divmod(wanted, len(hardness))
    whole = [generator.permutation(len(hardness)) for _ in range(passes)]
    return np.concatenate([*whole, *([_choose_part(hardness, part, generator)] if part else [])])


def choose_at_random(count: int, share: float, generator: np.random.Generator) -> np.ndarray:
    """Returns the images of an epoch: whole passes in random order, then a part of one.

    Args:
        count: Number of images.
        share: Number of passes, above 0.
        generator: Where the randomness comes from.
    """
    wanted = max(round(count * share), 1)
    passes = [generator.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(passes)[:wanted]


def _choose_part(hardness: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    order = generator.permutation(len(hardness))  # among equals, chance decides
    ranked = order[np.argsort(-hardness[order], kind="stable")]
    hardest, others = ranked[: wanted // 2], ranked[wanted // 2 :]
    return generator.permutation(np.concatenate([hardest, generator.permutation(others)[: wanted - len(hardest)]]))


def note_losses(hardness: np.ndarray, images: np.ndarray, losses: np.ndarray) -> None:
    """Takes in losses: hardness becomes the mean of the latest and what it was, or the first loss of an unseen image.

    Args:
        hardness: float32 [n]; changed in place.
        images: Which images; of one that comes several times the latest loss counts.
        losses: float32, one for each of them.
    """
    before = hardness[images]
    hardness[images] = np.where(before == UNSEEN, losses, (before + losses) / 2)
