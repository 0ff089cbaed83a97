"""Trials an hour, against KerasTuner's own `Tuner.search` on the same spaces.

    python -m benchmarks.trials_per_hour [--quick] [--json FILE]

Fully connected: Hyperband's space, 5 epochs; the pipeline trains batches of 256, the original batches of 64, and each
side is measured with the other's, too (`benchmarks.fidelity` says what the larger ones do to the scores). CNN: the
Bayesian search's space, 1 epoch, batches of 256. Both sides train the same random proposals on 50,000 images and
validate on 10,000 after each epoch; see `benchmarks.one_study` for what is timed. The sides take turns, each time in a
new process and with another seed.

From the medians follows, by extrapolation, what the original's searches take on each side: Hyperband's 254 trials with
`max_epochs` 150 and `factor` 3, by their epochs; 200 trials of the architecture and 100 of the augmentation. The
original trained one epoch a CNN trial, because it never said how many; the profile "full" trains five, each on two
fifths of the images.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Figure, Ratio, at_least, report
from benchmarks.studies import CNN, FULLY_CONNECTED, Side, study_arguments, take_turns
from mnist_models.study import OracleSpec
from tasks.workers import quiet_import

CNN_TRIALS = 200 + 100
TIMES_AS_FAST = 4.0


def search_hours(cnn_epochs: int, fully_connected: float, cnn: float) -> float:
    """Hours of the original's Hyperband and Bayesian searches, from trials an hour of five epochs and of one."""
    return hyperband_epochs() / (5 * fully_connected) + CNN_TRIALS * cnn_epochs / cnn


def hyperband_epochs() -> int:
    """Epochs that the original's Hyperband trains in all, promoted trials going on where they stopped."""
    with quiet_import():
        from mnist_models.oracle import expected_costs, search_space

    hyperband = OracleSpec(kind="hyperband", seed=1, window=1, max_epochs=150, factor=3)
    return sum(expected_costs(hyperband, search_space("fully_connected_hyperband")))


def main(options: argparse.Namespace) -> None:
    """Measures both sides of both spaces."""
    small, large = "--batch-size=64", "--batch-size=256"
    dense = (
        Side("ours", ()),
        Side("ours, batches of 64", (small,)),
        Side("Tuner.search", ("--peer",)),
        Side("Tuner.search, batches of 256", ("--peer", large)),
    )
    convolutional = (
        Side("ours", ()),
        Side("ours, two fifths of the images", ("--share=0.4",)),
        Side("Tuner.search", ("--peer",)),
    )
    figures = take_turns(FULLY_CONNECTED, dense, options) + take_turns(CNN, convolutional, options)
    ours, ours_small, peer, peer_large, our_cnn, our_full_cnn, peer_cnn = (figure.median for figure in figures)
    claims = [
        at_least(f"{FULLY_CONNECTED}: ours / Tuner.search", ours, peer, 10.0),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 64", ours_small / peer),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 256", ours / peer_large),
        at_least(f"{CNN}: ours / Tuner.search", our_cnn, peer_cnn, 2.5),
    ]
    hours = {
        "Tuner.search, one epoch a CNN trial": search_hours(1, peer, peer_cnn),
        "Tuner.search, five": search_hours(5, peer, peer_cnn),
        "ours, one": search_hours(1, ours, our_cnn),
        "ours, five": search_hours(5, ours, our_cnn),
        'ours, five on two fifths of the images, as in "full"': search_hours(5, ours, our_full_cnn),
    }
    figures += [Figure(f"the original's searches: {side}", "h", [value]) for side, value in hours.items()]
    one, five, our_one, our_five, full = hours.values()
    claims += [
        at_least("the searches, one epoch a CNN trial: Tuner.search / ours", one, our_one, TIMES_AS_FAST),
        Ratio("the searches, five epochs: Tuner.search / ours", five / our_five),
        at_least('the searches, five epochs: Tuner.search / ours as in "full"', five, full, TIMES_AS_FAST),
        Ratio('the searches: Tuner.search with one epoch / ours as in "full"', one / full),
    ]
    report("Trials an hour", figures, claims, options)


if __name__ == "__main__":
    main(study_arguments(__doc__).parse_args())
