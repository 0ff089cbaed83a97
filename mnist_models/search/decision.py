"""The end of a study: whether its winner beats what it started from, and how sure that is.

All finalists are judged on the same validation images, so their losses are compared image by image: a bootstrap draws
images, and differences keep what the finalists have in common (Efron and Tibshirani 1993).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mnist_models.search.trials import Decision, Finalist, Trial

SAMPLES = 2_000
SEEN = 0.9  # of the loss of guessing: a search whose best is not below has seen nothing


def decide(
    trials: Sequence[Trial], losses: Mapping[int, np.ndarray], incumbent: Mapping[str, object] | None, classes: int
) -> Decision | None:
    """Compares the trials at the last rung.

    Args:
        trials: Of a halving.
        losses: By number, of those at the last rung that did not fail: each validation image's loss, float32 [n].
        incumbent: Hyperparameters of what the search started from, if any.
        classes: Of the data set.

    Returns:
        None where all failed.
    """
    groups = _groups([trial for trial in trials if trial.number in losses])
    if not groups:
        return None
    per_image = np.stack([np.mean([losses[one.number] for one in group], axis=0) for group in groups]).astype(
        np.float64
    )
    order = np.argsort(per_image.mean(axis=1), kind="stable")
    groups, per_image = [groups[number] for number in order], per_image[order]
    means = _bootstrap(per_image)
    first = next((number for number, group in enumerate(groups) if group[0].values == incumbent), None)
    known = 0 if first is None else first
    differences = means[:, known] - means[:, 0]
    low, high = (float(end) for end in np.quantile(differences, (0.025, 0.975)))
    nothing_seen = per_image[0].mean() > SEEN * math.log(classes)
    replaced = first is None or (first > 0 and low > 0 and not nothing_seen)
    gain = float(per_image[known].mean() - per_image[0].mean())
    best_probability = float((means.argmin(axis=1) == 0).mean())
    share = f"{100 * best_probability:.0f} % of samples of the images"
    sure = f"it is the best of {len(groups)} finalists in {share}" if len(groups) > 1 else "it is the only finalist"
    gained = f"{gain:.4f} nats ({low:.4f} to {high:.4f})"
    if nothing_seen:
        words = "It has seen nothing: no trial does better than guessing."
    elif first is None:
        words = f"Trial {groups[0][0].number} wins: {sure}."
    elif first == 0:
        words = f"What the search started from stays: no finalist has a lower validation loss; {sure}."
    elif replaced:
        words = f"Trial {groups[0][0].number} replaces what the search started from: lower by {gained}; {sure}."
    else:
        words = (
            f"What the search started from stays: trial {groups[0][0].number} is lower by {gained}, maybe by chance."
        )
    return Decision(
        winner=groups[0][0].number,
        incumbent=None if first is None else groups[first][0].number,
        difference=gain,
        interval=(low, high),
        replaced=replaced,
        best_probability=best_probability,
        finalists=tuple(_finalist(*one) for one in zip(groups, per_image, means.T, strict=True)),
        words=words,
    )


def _groups(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials of one combination together, in the order asked."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(repr(sorted(trial.values.items())), []).append(trial)
    return list(groups.values())


def _bootstrap(per_image: np.ndarray) -> np.ndarray:
    """Means over drawn images, float64 [samples, finalists]: images are weighted by how often they are drawn."""
    count = per_image.shape[1]
    generator = np.random.default_rng(count)
    return np.stack(
        [per_image @ generator.multinomial(count, np.full(count, 1 / count)) / count for _ in range(SAMPLES)]
    )


def _finalist(group: list[Trial], per_image: np.ndarray, means: np.ndarray) -> Finalist:
    low, high = (float(end) for end in np.quantile(means, (0.025, 0.975)))
    return Finalist(trial=group[0].number, val_loss=float(per_image.mean()), interval=(low, high), seeds=len(group))
