"""Trials an hour, against KerasTuner's own `Tuner.search` on the same spaces.

    python -m benchmarks.trials_per_hour [--quick] [--json FILE]

Fully connected: Hyperband's space, 5 epochs; the pipeline trains batches of 256, the original batches of 64, and each
side is measured with the other's, too (`benchmarks.fidelity` says what the larger ones do to the scores). CNN: the
Bayesian search's space, 1 epoch, batches of 256. Both sides train the same random proposals on 50,000 images and
validate on 10,000 after each epoch; see `benchmarks.one_study` for what is timed. The sides take turns, each time in a
new process and with another seed.

From the medians follows, by extrapolation, what the original's searches take on each side: Hyperband's 254 trials with
`max_epochs` 150 and `factor` 3, by their epochs; 200 trials of the architecture and 100 of the augmentation, of one
epoch, as the original trained them, and of five, as the profile "full" does.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Figure, Ratio, at_least, report
from benchmarks.studies import CNN, FULLY_CONNECTED, Side, study_arguments, take_turns

CNN_TRIALS = 200 + 100
TIMES_AS_FAST = 4.0


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
    small, large = "--batch-size=64", "--batch-size=256"
    dense = (
        Side("ours", ()),
        Side("ours, batches of 64", (small,)),
        Side("Tuner.search", ("--peer",)),
        Side("Tuner.search, batches of 256", ("--peer", large)),
    )
    convolutional = Side("ours", ()), Side("Tuner.search", ("--peer",))
    figures = take_turns(FULLY_CONNECTED, dense, options) + take_turns(CNN, convolutional, options)
    ours, ours_small, peer, peer_large, our_cnn, peer_cnn = (figure.median for figure in figures)
    claims = [
        at_least(f"{FULLY_CONNECTED}: ours / Tuner.search", ours, peer, 10.0),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 64", ours_small / peer),
        Ratio(f"{FULLY_CONNECTED}: the same, both with batches of 256", ours / peer_large),
        at_least(f"{CNN}: ours / Tuner.search", our_cnn, peer_cnn, 2.5),
    ]
    for epochs in (1, 5):
        hours = {"ours": search_hours(epochs, ours, our_cnn), "Tuner.search": search_hours(epochs, peer, peer_cnn)}
        name = f"the original's searches, {epochs} {'epoch' if epochs == 1 else 'epochs'} a CNN trial"
        figures += [Figure(f"{name}: {side}", "h", [value]) for side, value in hours.items()]
        claims.append(
            at_least(f"{name}: Tuner.search / ours, extrapolated", hours["Tuner.search"], hours["ours"], TIMES_AS_FAST)
        )
    report("Trials an hour", figures, claims, options)


if __name__ == "__main__":
    main(study_arguments(__doc__).parse_args())
