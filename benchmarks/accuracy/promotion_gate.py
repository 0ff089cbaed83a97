"""How often the gate promotes a model whose true accuracy is known: simulated pairs of models on the same images.

    python -m benchmarks.accuracy.promotion_gate

Prints, for a margin of 0.05 points, the share of challengers that become champion, by what they truly are and by how
many images the gate has; and what a year of nightly challengers that are each a little worse does to the champion, with
the anchor and without. Each comparison draws its own images; on real ones, nights share their luck.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from mnist_models.champion.gate import shown
from mnist_models.champion.paired import Paired, score_interval

MARGIN = 0.0005
STATED = 2.6  # %: docs/serving.md
DISAGREEMENT = 0.001  # share of images that only one of two equal models gets right, either way: two seeds on MNIST
TRUE_DIFFERENCES = (-0.1, -0.05, 0.0, 0.05, 0.1, 0.2)  # points
IMAGES = (5_000, 10_000, 50_000)
YEARS, NIGHTS = 50, 365


def draw(generator: np.random.Generator, images: int, difference: float) -> Paired:
    """Two models on images drawn at random, whose true accuracies differ by so much (a share)."""
    gained = max(DISAGREEMENT + max(difference, 0.0), 1e-12)
    lost = max(DISAGREEMENT + max(-difference, 0.0), 1e-12)
    counts = generator.multinomial(images, [gained, lost, 1 - gained - lost])
    b, c = int(counts[0]), int(counts[1])
    return Paired(
        images=images,
        only_challenger=b,
        only_champion=c,
        difference=(b - c) / images,
        interval_95=score_interval(b, c, images),
        p_value=1.0,  # the gate does not decide by it
    )


def promoted(images: int, points: float, pairs: int) -> float:
    """Percentage of challengers that are promoted, which truly differ by so many points."""
    generator = np.random.default_rng([images, round(1000 * points) + 1000])
    return 100 * float(np.mean([shown(draw(generator, images, points / 100), MARGIN) for _ in range(pairs)]))


def year(generator: np.random.Generator, images: int, step: float, anchored: bool) -> float:
    """Points that the champion has lost after a year of challengers, each worse than it by a step (points)."""
    champion = anchor = 0.0
    for _ in range(NIGHTS):
        challenger = champion - step
        paired = draw(generator, images, (challenger - champion) / 100)
        rivals = [paired]
        if anchored and anchor != champion:
            rivals.append(draw(generator, images, (challenger - anchor) / 100))
        if all(shown(each, MARGIN) for each in rivals):
            better = rivals[-1].interval_95[0] > 0
            champion = challenger
            anchor = champion if better else anchor
    return -champion


def lost(years: int, anchored: bool) -> list[float]:
    """What some years cost, each with its own luck."""
    return [year(np.random.default_rng([number, 7]), 10_000, 0.02, anchored) for number in range(years)]


def measure(options: argparse.Namespace) -> tuple[list[Figure], list[Ratio]]:
    """Both tables of the benchmark."""
    pairs, years = (200, 5) if options.quick else (10_000, YEARS)
    shares = {(images, points): promoted(images, points, pairs) for images in IMAGES for points in TRUE_DIFFERENCES}
    figures = [
        Figure(f"promoted, truly {points:+.2f} points, {images:,} images", "%", [share])
        for (images, points), share in shares.items()
    ]
    losses = {anchored: lost(years, anchored) for anchored in (False, True)}
    for anchored, values in losses.items():
        name = "with the anchor" if anchored else "without"
        figures.append(Figure(f"lost in a year of models 0.02 points worse each, {name}", "points", values))
    worst = max(shares[images, -0.05] for images in IMAGES)
    return figures, [
        at_most("promoted, truly worse by the margin, %", worst, STATED + 0.4),  # 0.4: noise of 10,000 pairs
        at_most("lost in a year with the anchor, mean, points", float(np.mean(losses[True])), 0.1),
    ]


if __name__ == "__main__":
    given = arguments(__doc__).parse_args()
    report("The gate, on simulated pairs of models", *measure(given), given)
