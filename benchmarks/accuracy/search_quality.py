"""How soon searches find a good combination: ours, Optuna's and KerasTuner's own, on three data sets and two spaces.

    python -m benchmarks.accuracy.search_quality [--keep FOLDER] [--seeds N] [--seed N] [--data NAME] [--space NAME]
        [--peers NAME ...] [--plots FOLDER] [--quick] [--json FILE]

Every side searches the same space on the same images (12,000 to train, a sixth of which validate) for the same time on
both cores, one side after the other. Whatever a search would have answered on the way, the combination with the lowest
score so far, is then trained anew, by the same trainings for all sides: how good those end is what counts. Ours is the
search of `standard`, and on with longer brackets. Optuna's TPE with its Hyperband pruner trains by our trainings and
rungs; it is told nothing, or (`told`) the combinations that ours begins with. `Tuner.search` trains plain Keras models.
The others, of which `random_proposals` is one, are ours with a part left out. What is in the folder is not run again;
`benchmarks/searches/found` holds what was measured: its `avx512` ours as it is, the others ours as on 2026-11-28, on a
slower machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.search_quality_plot import plot
from benchmarks.comparison import Figure, Ratio, add_seeds, arguments, at_most, environment, report, seeds_of
from benchmarks.searches.finding import Finding, Task, improvements
from benchmarks.searches.one_search import OPTUNA, OURS, PEERS, TOLD, TUNERS
from benchmarks.speed.studies import ROOT, clean_environment
from benchmarks.variants.variants import VARIANTS, write
from mnist_models.surrogate.values import Values

if TYPE_CHECKING:
    from mnist_models.training.specification import TrainingSpec

DATA = ("mnist", *VARIANTS)
SECONDS = {"cnn_bayesian": 120.0, "residual_recipe": 240.0}  # of each search
QUICK = {"cnn_bayesian": 20.0, "residual_recipe": 20.0}
ANEW = {"cnn_epochs": 1, "final_epochs": 1.0}  # epochs of 50,000 images, on a rate that falls to zero
SHARE = 0.25  # of the best tuner's time: the target


@dataclass(frozen=True)
class Answer:
    """What a search would have answered from some time on.

    Attributes:
        seconds: Since its begin.
        anew: Validation loss of the combination, trained anew, in nats.
        values: The combination.
    """

    seconds: float
    anew: float
    values: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A data set, a space and a seed; its answers are kept in a file."""

    data: str
    space: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.data}-{self.space}-{self.seed}"


def measure(cell: Cell, sides: tuple[str, ...], options: argparse.Namespace) -> dict[str, list[Answer]]:
    """Runs the sides of a cell that are not kept, and returns each side's answers."""
    path = options.keep / f"{cell.name}.json"
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    missing = [side for side in sides if side not in kept]
    if not missing:
        return _answers(kept, sides)
    with tempfile.TemporaryDirectory(prefix="search_quality-") as folder:
        task = _task(cell, Path(folder), options)
        for side in missing:
            known = [answer for answers in _answers(kept, kept).values() for answer in answers]
            answers = _anew(improvements(_search(side, task, Path(folder))), known, task)
            kept[side] = {"environment": environment(), "answers": [asdict(answer) for answer in answers]}
            path.write_text(json.dumps(kept, indent=1) + "\n")
    return _answers(kept, sides)


def _answers(kept: dict[str, dict[str, Any]], sides: Iterable[str]) -> dict[str, list[Answer]]:
    return {side: [Answer(**one) for one in kept[side]["answers"]] for side in sides}


def _task(cell: Cell, folder: Path, options: argparse.Namespace) -> Task:
    from mnist_models.data.preprocessing import preprocess
    from mnist_models.foundation.store import Store

    store = Store(folder / "store")
    data = write(cell.data, folder)
    dataset = preprocess(store, data=data, images=600 if options.quick else None, seed=1, key="dataset")
    seconds = _seconds(options)[cell.space]
    return Task(space=cell.space, dataset=dataset, root=store.root, seconds=seconds, seed=cell.seed)


def _seconds(options: argparse.Namespace) -> dict[str, float]:
    return QUICK if options.quick else SECONDS


def _search(side: str, task: Task, folder: Path) -> list[Finding]:
    """Runs a search as a process, on a store of its own that has nothing but the images."""
    told = {"side": side, **asdict(replace(task, dataset=None)), "dataset": task.dataset.model_dump(mode="json")}  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="search-") as root:
        (Path(root) / "datasets").symlink_to((task.root / "datasets").absolute())
        (folder / "task.json").write_text(json.dumps(told | {"root": root}))
        command = [sys.executable, "-m", "benchmarks.searches.one_search", str(folder)]
        done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} ended with status {done.returncode}:\n{done.stderr[-3000:]}")
    return [Finding(**one) for one in json.loads(done.stdout.splitlines()[-1])]


def _anew(findings: list[Finding], known: list[Answer], task: Task) -> list[Answer]:
    """Trains the combinations of a search's answers anew; what was another side's answer already is not repeated."""
    from benchmarks.searches.trainings import study_of, train_anew
    from flows.cnn import finished
    from flows.recipe import finished_recipe
    from mnist_models.foundation.settings import Settings
    from mnist_models.search.study import apply_values

    settings = Settings(**ANEW)
    template = study_of(replace(task, seed=1)).template
    cnn = task.space == "cnn_bayesian"

    def spec(values: Values) -> TrainingSpec:
        found = apply_values(template, values)
        return finished(found, settings, task.dataset) if cnn else finished_recipe(found, settings, task.dataset.train)

    losses = {spec(answer.values).digest: answer.anew for answer in known}
    specs = [spec(finding.values) for finding in findings]
    new = {spec.digest: spec for spec in specs if spec.digest not in losses}
    losses |= dict(zip(new, train_anew(list(new.values()), task), strict=True))
    return [Answer(one.seconds, losses[spec.digest], one.values) for one, spec in zip(findings, specs, strict=True)]


def final(answers: list[Answer]) -> float:
    """What a search answers when its time is up; nothing is as bad as guessing."""
    return answers[-1].anew if answers else float(np.log(10))


def first_as_good(answers: list[Answer], loss: float, seconds: float) -> float:
    """Seconds until a search answers something as good; its whole time where it never does."""
    return next((one.seconds for one in answers if one.anew <= loss), seconds)


def summarize(name: str, seconds: float, cells: list[dict[str, list[Answer]]]) -> tuple[list[Figure], list[Ratio]]:
    """Figures and claims of one data set and space, over the seeds."""
    sides = list(cells[0])
    figures = [Figure(f"{name}: {side}, at the end", "nats", [final(cell[side]) for cell in cells]) for side in sides]
    claims: list[Ratio] = []
    for side in (OPTUNA, TOLD):
        if side in sides:
            ahead = float(np.mean([final(cell[side]) - final(cell[OURS]) for cell in cells]))
            claims.append(Ratio(f"{name}: mean of {side}, less ours, nats", ahead, "≥ 0", ahead >= 0))
    if tuners := [side for side in sides if side in TUNERS]:
        best = min(tuners, key=lambda side: float(np.mean([final(cell[side]) for cell in cells])))
        reached = [first_as_good(cell[OURS], final(cell[best]), seconds) for cell in cells]
        figures.append(Figure(f"{name}: ours is as good as {best} in the end after", "s", reached))
        claims.append(at_most(f"{name}: of the time of {best}", float(np.median(reached)) / seconds, SHARE))
    return figures, claims


def main(options: argparse.Namespace) -> None:
    """Measures what is missing, and prints all."""
    with tempfile.TemporaryDirectory(prefix="searches-") as temporary:
        options.keep = options.keep or Path(temporary)
        options.keep.mkdir(parents=True, exist_ok=True)
        _measure_all(options)


def _measure_all(options: argparse.Namespace) -> None:
    figures: list[Figure] = []
    claims: list[Ratio] = []
    sides = (OURS, *(side for group in PEERS if group in options.peers for side in PEERS[group]))
    found: dict[tuple[str, str], list[dict[str, list[Answer]]]] = {}
    for seed in seeds_of(options):
        for space in [options.space] if options.space else SECONDS:
            for data in [options.data] if options.data else DATA:
                cell = measure(Cell(data, space, seed), sides, options)
                found.setdefault((space, data), []).append(cell)
    for (space, data), cells in found.items():
        some, others = summarize(f"{data}, {space}", _seconds(options)[space], cells)
        figures, claims = figures + some, claims + others
    if options.plots:
        plot(found, _seconds(options), options.plots)
    report("Search quality", figures, claims, options)


def _arguments() -> argparse.ArgumentParser:
    parser = arguments(__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keeps what was measured, and goes on from it")
    add_seeds(parser, "searches of each side")
    parser.add_argument("--data", choices=DATA, help="one of the data sets (default: all)")
    parser.add_argument("--space", choices=list(SECONDS), help="one of the spaces (default: both)")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=["optuna", "tuner"], metavar="NAME",
        help=f"beside ours, out of {', '.join(PEERS)} (default: optuna tuner)")  # fmt: skip
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw what each side would have answered, by time")
    return parser


if __name__ == "__main__":
    main(_arguments().parse_args())
