"""Trials an hour, against KerasTuner's own `Tuner.search` on the same spaces.

    python -m benchmarks.trials_per_hour [--quick] [--json FILE]

Fully connected: Hyperband's space, 5 epochs, batches of 64. CNN: the Bayesian search's space, 1 epoch, batches of 256.
Both sides train the same random proposals on 50,000 images and validate on 10,000 after each epoch; see
`benchmarks.one_study` for what is timed. The sides take turns, each time in a new process and with another seed.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Figure, Ratio, arguments, at_least, report
from benchmarks.studies import SPACES, Side

TARGETS = {"fully connected, 5 epochs": 10.0, "CNN, 1 epoch": 2.5}


def main(options: argparse.Namespace) -> None:
    """Measures both sides of both spaces."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    for kind in SPACES:
        ours, peer = Side("ours", ()), Side("Tuner.search", ("--peer",))
        for seed in range(1, 2 if options.quick else options.repetitions + 1):
            for side in (ours, peer):
                side.measure(kind, 2 if options.quick else options.trials, seed, options.quick)
        figures += [Figure(f"{kind}: {side.name}", "trials/h", side.rates) for side in (ours, peer)]
        claims.append(at_least(f"{kind}: ours / Tuner.search", figures[-2].median, figures[-1].median, TARGETS[kind]))
    report("Trials an hour", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=12, help="of each study (default: 12)")
    parser.add_argument("--repetitions", type=int, default=3, help="studies of each side (default: 3)")
    main(parser.parse_args())
