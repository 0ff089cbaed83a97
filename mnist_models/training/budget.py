"""Budgets: how many images a training sees, whatever the size of the data set, as epochs and shares of it.

A budget in passes would give a few dozen steps to a small data set; so many images are as many steps of a batch size
for any. What is small is passed over several times in an epoch, so that validation and checkpoints stay cheap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

SMALLEST_EPOCH = 5_000  # images
HARD_SHARE = 0.5  # of a whole epoch: what later ones take where they take the hardest images


def even_shares(epochs: int, epoch_images: int, train: int) -> tuple[float, ...] | None:
    """Returns the shares of epochs that see so many images each, whatever there are.

    Args:
        epochs: How many.
        epoch_images: Images of an epoch.
        train: Size of the training set.

    Returns:
        None where each is one pass.
    """
    return None if epoch_images == train else (round(epoch_images / train, 6),) * epochs


def shares(
    budgets: Sequence[int], train: int, *, selection: Literal["hard", "random"] = "hard", cooldown: float = 0.0
) -> tuple[float, ...]:
    """Returns the shares of a training's epochs, which pass each budget at the end of an epoch.

    Those of a longer training begin as those of a shorter one do, but for the shorter one's cooldown.

    Args:
        budgets: Images seen in total at each rung, ascending, cooldown included.
        train: Size of the training set.
        selection: "hard" makes epochs smaller once all images have been seen: half of what a whole one takes.
        cooldown: Share of the last budget that an epoch of its own takes at the end; 0 for none.
    """
    found: list[float] = []
    done, whole = 0.0, float(train * _passes(train))
    for budget in budgets:
        target = budget * (1 - cooldown)
        if done < train < target and selection == "hard":  # all of them first
            found.append((min(whole, target) - done) / train)
            done = min(whole, target)
        size = whole * HARD_SHARE if selection == "hard" and done >= train else whole
        count = max(math.ceil(round((target - done) / size, 6)), 1) if target > done else 0
        found += [(target - done) / max(count, 1) / train] * count
        done = target
    if cooldown:
        found.append(budgets[-1] * cooldown / train)
    return tuple(round(share, 6) for share in found)


def _passes(train: int) -> int:
    return math.ceil(SMALLEST_EPOCH / train)
