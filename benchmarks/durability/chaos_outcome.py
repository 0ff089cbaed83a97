"""What the runs of `chaos` left in their folders: what is finished, what was lost, what is equal."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.durability.chaos_kills import Runs


def completed(runs: Runs) -> dict[str, str]:
    """The results in the store that are whole, each with what tells it from a later one."""
    found = {}
    for name, content in runs.results():
        try:
            seconds = json.loads(json.loads(content)["result"])["data"].get("seconds")
        except (ValueError, KeyError, TypeError):
            continue
        found[name] = f"{hashlib.sha256(content).hexdigest()} {seconds}"
    return found


def epochs_trained_twice(folder: Path) -> int:
    """From the hooks' notes: begun epochs of a training beyond the first of each."""
    notes = Counter((folder / "epochs").read_text().splitlines()) if (folder / "epochs").exists() else Counter[str]()
    return sum(count - 1 for count in notes.values())


def compare(untouched: Runs, killed: Runs) -> dict[str, bool]:
    """Whether both ended in the same figures, weights and trials."""
    killed.bring()
    there, here = killed.root, untouched.root
    return {
        "metrics.json is the same, times aside": timeless(here) == timeless(there),
        "trial tables are the same, times aside": trials(here) == trials(there),
        "weights are the same to the bit": weights(here) == weights(there),
        "no checkpoint is left": not list((there / "checkpoints").rglob("*.npz")),
        "no temporary file is left": not list(there.rglob("*.tmp")),
    }


def timeless(root: Path) -> Any:
    """`metrics.json` without times and without what came from the cache."""
    content = json.loads((root / "latest" / "metrics.json").read_text())
    content.pop("seconds")
    for stage in content["stages"]:
        stage.pop("seconds")
        stage.pop("cached")
    return content


def trials(root: Path) -> Any:
    """The trial tables without their times."""
    tables = {}
    for path in sorted((root / "latest" / "trials").glob("*.csv")):
        with path.open(newline="") as file:
            tables[path.name] = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    return tables


def weights(root: Path) -> dict[str, str]:
    """Digests of all models' weights."""
    found = (root / "weights").glob("*.npz")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
