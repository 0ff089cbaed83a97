"""Trials an hour, against KerasTuner's own `Tuner.search` on the same spaces.

    python -m benchmarks.trials_per_hour [--quick] [--json FILE]

Fully connected: Hyperband's space, 5 epochs, batches of 64. CNN: the Bayesian search's space, 1 epoch, batches of 256.
Both sides train the same random proposals on 50,000 images and validate on 10,000 after each epoch; see
`benchmarks.one_study` for what is timed. The sides take turns, each time in a new process and with another seed.

From the medians follows, by extrapolation, what the original's searches take on each side: Hyperband's 254 trials with
`max_epochs` 150 and `factor` 3, by their epochs; 200 trials of the architecture and 100 of the augmentation, of one
epoch, as the original trained them, and of five, as the profile "full" does.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Figure, Ratio, arguments, at_least, report
from benchmarks.studies import SPACES, Side, take_turns

CNN_TRIALS = 200 + 100
TIMES_AS_FAST = 4.0
TARGETS = {"fully connected, 5 epochs": 10.0, "CNN, 1 epoch": 2.5}


def search_hours(cnn_epochs: int, fully_connected: float, cnn: float) -> float:
    """Hours of the original's Hyperband and Bayesian searches, from trials an hour of five epochs and of one."""
    return hyperband_epochs() / (5 * fully_connected) + CNN_TRIALS * cnn_epochs / cnn


def hyperband_epochs(max_epochs: int = 150, factor: int = 3) -> int:
    """Epochs that KerasTuner's Hyperband trains in all, promoted trials going on where they stopped."""
    from keras_tuner.oracles import HyperbandOracle

    oracle = HyperbandOracle(objective="val_loss", max_epochs=max_epochs, factor=factor)
    epochs = 0
    for bracket in range(oracle._get_num_brackets()):
        for number in range(oracle._get_num_rounds(bracket)):
            before = oracle._get_epochs(bracket, number - 1) if number else 0
            epochs += oracle._get_size(bracket, number) * (oracle._get_epochs(bracket, number) - before)
    return epochs


def main(options: argparse.Namespace) -> None:
    """Measures both sides of both spaces."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    for kind in SPACES:
        ours, peer = Side("ours", ()), Side("Tuner.search", ("--peer",))
        figures += take_turns(kind, (ours, peer), options)
        claims.append(at_least(f"{kind}: ours / Tuner.search", figures[-2].median, figures[-1].median, TARGETS[kind]))
    for epochs in (1, 5):
        our_hours, peer_hours = (
            search_hours(epochs, *(figures[number].median for number in side)) for side in ((0, 2), (1, 3))
        )
        name = f"the original's searches, CNN trials of {epochs} epochs"
        figures += [
            Figure(f"{name}: {side}", "h", [hours])
            for side, hours in (("ours", our_hours), ("Tuner.search", peer_hours))
        ]
        claims.append(at_least(f"{name}: Tuner.search / ours, extrapolated", peer_hours, our_hours, TIMES_AS_FAST))
    report("Trials an hour", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=12, help="of each study (default: 12)")
    parser.add_argument("--repetitions", type=int, default=3, help="studies of each side (default: 3)")
    main(parser.parse_args())
