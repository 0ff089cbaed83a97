"""Trials an hour, against KerasTuner's own `Tuner.search` on the same spaces.

    python -m benchmarks.speed.trials_per_hour [--quick] [--json FILE]

Fully connected: Hyperband's space, 5 epochs; the pipeline trains batches of 256, the original batches of 64, and each
side is measured with the other's, too (`fidelity` says what the larger ones do to the scores). CNN: the
Bayesian search's space, 1 epoch, batches of 256. Both sides train the same random proposals on 50,000 images and
validate on 10,000 after each epoch; `one_study` and `tuner_search` say what is timed. The sides
take turns, each time in a new process and with another seed.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Ratio, at_least, report
from benchmarks.speed.studies import CNN, FULLY_CONNECTED, Side, study_arguments, take_turns

PEER = "peers.tuner_search"


def main(options: argparse.Namespace) -> None:
    """Measures both sides of both spaces."""
    small, large = "--batch-size=64", "--batch-size=256"
    dense = (
        Side("ours"),
        Side("ours, batches of 64", (small,)),
        Side("Tuner.search", (), PEER),
        Side("Tuner.search, batches of 256", (large,), PEER),
    )
    convolutional = Side("ours"), Side("Tuner.search", (), PEER)
    figures = take_turns(FULLY_CONNECTED, dense, options) + take_turns(CNN, convolutional, options)
    ours, ours_small, peer, peer_large, our_cnn, peer_cnn = (figure.median for figure in figures)
    claims = [
        at_least(f"{FULLY_CONNECTED}: ours / Tuner.search", ours, peer, 10.0),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 64", ours_small / peer),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 256", ours / peer_large),
        at_least(f"{CNN}: ours / Tuner.search", our_cnn, peer_cnn, 2.5),
    ]
    report("Trials an hour", figures, claims, options)


if __name__ == "__main__":
    main(study_arguments(__doc__).parse_args())
