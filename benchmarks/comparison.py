"""What every benchmark prints: both sides of each ratio, n and spread, for people and as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

FIGURE_COLUMNS = ("figure", "median", "mean ± SD", "min", "max", "n", "unit")
CLAIM_COLUMNS = ("claim", "value", "target", "reached")
REACHED = {True: "yes", False: "no", None: ""}
PACKAGES = ("tensorflow", "keras", "keras-tuner", "prefect", "numpy")


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: What was measured, and of whom.
        unit: Of the values.
        values: One per repetition or seed.
    """

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """Of the values."""
        return statistics.median(self.values)

    @property
    def mean(self) -> float:
        """Of the values."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample; 0 for one value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


@dataclass(frozen=True)
class Ratio:
    """A claim: how many times one side's median is of the other's, and what is asked for.

    Attributes:
        name: What the ratio says.
        value: Of the two medians.
        target: What is asked for, as text: "≥ 10"; "" where nothing is.
        reached: Whether it is; None where nothing is asked for.
    """

    name: str
    value: float
    target: str = ""
    reached: bool | None = None


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: everything runs, no figure means anything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    return parser


def add_seeds(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds the options of a benchmark that can be taken one seed at a time.

    Args:
        parser: To add to.
        what: That has a seed each.
    """
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help=f"{what} (default: 3)")
    parser.add_argument("--seed", type=int, metavar="N", help="one of them, to take them one at a time")


def seeds_of(options: argparse.Namespace) -> list[int]:
    """Returns the seeds that are asked for; a smoke test has one."""
    return [options.seed] if options.seed else list(range(1, 2 if options.quick else options.seeds + 1))


def at_least(name: str, ours: float, peer: float, target: float) -> Ratio:
    """A ratio that should be as large as possible: ours to the peer's."""
    return Ratio(name, ours / peer, f"≥ {target:g}", ours / peer >= target)


def at_most(name: str, value: float, target: float) -> Ratio:
    """A value that should be as small as possible."""
    return Ratio(name, value, f"≤ {target:g}", value <= target)


def report(title: str, figures: Sequence[Figure], ratios: Sequence[Ratio], options: argparse.Namespace) -> None:
    """Prints both tables and, where asked for, writes them as JSON.

    Args:
        title: Of the benchmark.
        figures: All sides.
        ratios: All claims.
        options: With `quick` and `json`.
    """
    console = Console(highlight=False)
    console.print(f"\n[bold]{title}[/]" + ("  (smoke test: no figure means anything)" if options.quick else ""))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in FIGURE_COLUMNS:
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for figure in figures:
        table.add_row(*figure_row(asdict(figure)))
    console.print(table)
    claims = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in CLAIM_COLUMNS:
        claims.add_column(column, justify="left" if column == "claim" else "right")
    for ratio in ratios:
        claims.add_row(*claim_row(asdict(ratio)))
    console.print(claims)
    console.print(", ".join(f"{name} {value}" for name, value in environment().items()))
    if options.json:
        options.json.write_text(json.dumps(_as_json(title, figures, ratios, options.quick), indent=2) + "\n")


def environment() -> dict[str, str]:
    """Date, machine and versions."""
    machine = {"date": date.today().isoformat(), "cpu": _cpu(), "cores": str(os.cpu_count())}
    return machine | {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}


def _as_json(title: str, figures: Sequence[Figure], ratios: Sequence[Ratio], quick: bool) -> dict[str, Any]:
    return {
        "benchmark": title,
        "quick": quick,
        "environment": environment(),
        "figures": [
            {
                **asdict(figure),
                "median": figure.median,
                "mean": figure.mean,
                "sd": figure.deviation,
                "n": len(figure.values),
            }
            for figure in figures
        ],
        "claims": [asdict(ratio) for ratio in ratios],
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def figure_row(figure: dict[str, Any]) -> list[str]:
    """What a table says of a figure: percentages to five digits, all else to four."""
    values = figure["values"]
    decimals = _decimals(statistics.median(values), 5 if figure["unit"] == "%" else 4)
    median, mean, low, high = (
        f"{value:,.{decimals}f}"
        for value in (statistics.median(values), statistics.fmean(values), min(values), max(values))
    )
    if len(values) > 1:
        mean += f" ± {statistics.stdev(values):,.{decimals}f}"
    return [figure["name"], median, mean, low, high, str(len(values)), figure["unit"]]


def claim_row(claim: dict[str, Any]) -> list[str]:
    """What a table says of a claim: percentages to five digits, all else to four."""
    decimals = _decimals(claim["value"], 5 if claim["name"].endswith("%") else 4)
    value = f"{claim['value']:,.{decimals}f}"
    return [claim["name"], value, claim["target"], REACHED[claim["reached"]]]


def _decimals(value: float, digits: int) -> int:
    """How many decimals show so many digits of a value."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else digits - 1
