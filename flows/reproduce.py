"""Makes the model of a run again and compares it to the bit: `python flows/reproduce.py artifacts/latest`.

    python flows/reproduce.py RUN [--fresh] [--store DIR] [--workers N]

RUN is the folder of a run, or its name in the store. With `--fresh` everything is computed anew, in a new store that is
removed afterwards; without, what is in the store counts. Ends with status 0 where all is the same, else with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from mnist_models.foundation.settings import Settings
from mnist_models.lineage.record import Lineage, read_lineage
from running.terminal import ready, run

LIGHT = {"exports": None, "label_folds": 0}  # what is not compared is not made
FITTED = {"minutes": None}  # the lineage has the budgets that were found for them; another machine would find others


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="the folder of a run, or its name in the store")
    parser.add_argument("--fresh", action="store_true", help="compute everything anew, in a new store")
    parser.add_argument("--store", type=Path, default=Path("artifacts"), help="the store (default: artifacts)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="training processes")
    return parser.parse_args(arguments)


def find(name: str, store: Path) -> Path:
    """Returns the folder of a run that is named by its path or by its name in the store."""
    named = store / "runs" / name
    return named if named.is_dir() else Path(name)


def settings_of(lineage: Lineage, store: Path, workers: int) -> Settings:
    """Returns the settings of a run, for another store; exits with status 2 where this version has others."""
    fields: dict[str, Any] = {**lineage.settings, **LIGHT, **FITTED, "store": store, "workers": workers}
    try:
        return Settings(**fields)
    except ValueError as error:
        refuse(f"expected the settings of this version in the lineage of {lineage.run}. Received: {error}")


def refuse(message: str) -> NoReturn:
    """Says what is wrong, and exits with status 2."""
    sys.stderr.write(f"reproduce.py: {message}\n")
    raise SystemExit(2)


def main() -> None:
    """Reads the lineage, makes the model again, and says what is the same."""
    options = parse()
    try:
        lineage = read_lineage(find(options.run, options.store))
    except ValueError as error:
        refuse(str(error))
    with ExitStack() as stack:
        store = Path(stack.enter_context(tempfile.TemporaryDirectory())) if options.fresh else options.store
        settings = ready(settings_of(lineage, store, options.workers))
        from flows.again import make_again

        same: list[bool] = []
        run(lambda given: same.append(make_again(lineage, given)), settings)
    raise SystemExit(0 if same == [True] else 1)


if __name__ == "__main__":
    main()
