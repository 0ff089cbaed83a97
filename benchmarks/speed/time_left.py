"""How good "time left" is: what a run says of itself at each tenth of its way, against what it then took.

    python -m benchmarks.speed.time_left --profile standard [--quick] [--json FILE] [--record FILE]

The pipeline runs in this process, on an empty store. With `--record`, all that it noted of its trainings is kept:
`tests/tasks/recordings` holds such files, and `tests/tasks/test_time_left.py` tells them again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.comparison import Figure, arguments, at_most, report
from mnist_models.foundation.settings import Settings
from running.terminal import prepare, run

FACTOR = 1.5
TENTHS = range(1, 10)


def record(settings: Settings) -> dict[str, object]:
    """Runs the pipeline; returns its workers, its seconds and all that it noted."""
    prepare()
    from flows.full_pipeline import full_pipeline
    from tasks.progress import PROGRESS

    ends: list[float] = []

    def timed(settings: Settings) -> None:
        full_pipeline(settings)
        ends.append(PROGRESS.seconds())

    run(timed, settings)
    return {"workers": settings.workers, "seconds": round(ends[0], 3), "events": PROGRESS.events}


def estimates(recording: dict[str, object]) -> list[tuple[float, float, float]]:
    """Tells a recording again: at each event the share of the way, and the seconds left, estimated and true."""
    from tasks.progress import Progress

    now = [0.0]
    progress, found = Progress(lambda: now[0]), []
    progress.workers = int(recording["workers"])
    for seconds, event, told in recording["events"]:
        now[0] = seconds
        options = {"trials_only": told.pop()} if event == "drop" else {}
        getattr(progress, event)(*told, **options)
        found.append((seconds / recording["seconds"], progress.time_left()[1], recording["seconds"] - seconds))
    return found


def main(options: argparse.Namespace) -> None:
    """Runs, tells again and prints."""
    with tempfile.TemporaryDirectory() as folder:
        profile = "quick" if options.quick else options.profile
        recording = json.loads(json.dumps(record(Settings(profile=profile, store=Path(folder)))))
    if options.record:
        options.record.write_text(json.dumps(recording))
    found = estimates(recording)
    figures, claims = [], []
    for tenth in TENTHS:
        _, estimated, true = next((entry for entry in found if entry[0] >= tenth / 10), found[-1])
        figures += [
            Figure(f"{profile}, {10 * tenth} % of the way: estimated", "s left", [estimated]),
            Figure(f"{profile}, {10 * tenth} % of the way: true", "s left", [true]),
        ]
    worst = max(max(estimated / true, true / estimated) for share, estimated, true in found if 0.1 <= share <= 0.9)
    claims.append(at_most(f"{profile}: furthest from the truth, from a tenth to nine tenths", worst, FACTOR))
    report("Time left", figures, claims, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--profile", choices=("quick", "standard", "full"), default="standard")
    parser.add_argument("--record", type=Path, help="keep what the run noted in this file")
    main(parser.parse_args())
