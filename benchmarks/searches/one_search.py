"""One search by one side, as a process that prints what it found, with times, as JSON.

    python -m benchmarks.searches.one_search FOLDER

The folder holds `task.json`: the side, and what it is told.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.searches.finding import Search, Task
from mnist_models.data.dataset import DatasetReference

OURS, OPTUNA, TOLD = "ours", "Optuna: TPE, Hyperband's pruner", "Optuna, told what ours begins with"
TUNERS = ("Tuner.search, Hyperband", "Tuner.search, Bayesian", "Tuner.search, random")
ABLATIONS = ("random proposals", "without rungs", "without warm start")
SIDES = (OURS, OPTUNA, TOLD, *TUNERS, *ABLATIONS)
PEERS = {"optuna": (OPTUNA,), "told": (TOLD,), "tuner": TUNERS} | {
    name.replace(" ", "_"): (name,) for name in ABLATIONS
}


def side(name: str) -> Search:
    """Returns the search of that name."""
    if name in (OPTUNA, TOLD):
        from benchmarks.searches import optuna_search

        return partial(optuna_search.search, told=name == TOLD)
    if name in TUNERS:
        from benchmarks.searches import tuner

        return tuner.TUNERS[name]
    from benchmarks.searches import halving

    return halving.search if name == OURS else halving.ABLATIONS[name]


def main() -> None:
    """Runs it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    told = json.loads((parser.parse_args().folder / "task.json").read_text())
    dataset = DatasetReference.model_validate(told.pop("dataset"))
    search = side(told.pop("side"))
    findings = search(Task(dataset=dataset, root=Path(told.pop("root")), **told))
    sys.stdout.write("\n" + json.dumps([asdict(finding) for finding in findings]) + "\n")


if __name__ == "__main__":
    main()
