"""The tables of docs/performance.md, out of the figures that benchmarks wrote with `--json`.

python -m benchmarks.markdown FILE...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison import CLAIM_COLUMNS, FIGURE_COLUMNS, claim_row, figure_row

NUMBERS = ("median", "mean ± SD", "min", "max", "n", "value")


def tables(content: dict[str, Any]) -> str:
    """The figures and the claims of one benchmark as two tables in markdown."""
    figures = _table(FIGURE_COLUMNS, [figure_row(figure) for figure in content["figures"]])
    claims = _table(CLAIM_COLUMNS, [claim_row(claim) for claim in content["claims"]])
    return f"{figures}\n\n{claims}\n"


def _table(columns: Sequence[str], rows: list[list[str]]) -> str:
    alignment = [
        "---:" if column in ("median", "mean ± SD", "min", "max", "n", "value") else "---" for column in columns
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, alignment, *rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    for file in parser.parse_args().files:
        sys.stdout.write(f"{tables(json.loads(file.read_text()))}\n")
