"""Two workers against one: trials an hour, and memory.

    python -m benchmarks.speed.worker_scaling [--quick] [--json FILE]

The same studies as in `trials_per_hour`, with one worker and with two, by turns. A worker's peak memory is
its resident set, which counts the images' file as often as there are workers, though the system holds it once.

In short studies two workers look worse than they are: each traces the networks that it meets, and the last trial leaves
one of them idle.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import Figure, Ratio, at_least, at_most, report
from benchmarks.speed.studies import CNN, FULLY_CONNECTED, Side, study_arguments, take_turns

KINDS = {"fully_connected": FULLY_CONNECTED, "cnn": CNN}
SCALING = 1.85
GIGABYTES = 1.0


def main(options: argparse.Namespace) -> None:
    """Measures both numbers of workers on both spaces."""
    figures: list[Figure] = []
    claims: list[Ratio] = []
    for kind in [KINDS[options.only]] if options.only else KINDS.values():
        one, two = Side("1 worker", ("--workers=1",)), Side("2 workers", ("--workers=2",))
        figures += take_turns(kind, (one, two), options)
        claims.append(at_least(f"{kind}: 2 workers / 1 worker", figures[-1].median, figures[-2].median, SCALING))
        figures.append(Figure(f"{kind}: largest worker", "GB", [*one.gigabytes, *two.gigabytes]))
        claims.append(at_most(f"{kind}: peak memory of a worker, GB", max(figures[-1].values), GIGABYTES))
    report("Workers", figures, claims, options)


if __name__ == "__main__":
    parser = study_arguments(__doc__)
    parser.add_argument("--only", choices=KINDS, help="one of the studies (default: both)")
    main(parser.parse_args())
