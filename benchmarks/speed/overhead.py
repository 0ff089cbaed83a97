"""What the pipeline costs besides training: orchestration, a fully cached run, `--help`.

    python -m benchmarks.speed.overhead [--quick] [--json FILE]

**Orchestration.** Studies run through their real tasks in a real flow, with a real temporary server and one worker.
Orchestration is the wall time minus the time that the worker spent in `fit` (building and tracing the network,
training, validation, checkpoints). It includes everything else: proposals, cache lookups, task runs and their states,
the way to the worker and back, records, waiting. Ordinary trials, the first of the grid on all images, give its share
of the wall time; trials that are nearly free, a grid of learning rates on 600 images, what each costs. With two
workers, the worker time is halved: one that waits for the other counts as orchestration, too. Workers have imported
TensorFlow before.

**Fully cached second run.** `python flows/full_pipeline.py` as a process, from its start to its end, on a store that
holds everything. Not ours is what a bare flow takes in the same way (`bare_pipeline`): the interpreter,
Prefect's import, the start of its server, as many subflows and task runs.

**--help.** As a process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figure, Ratio, arguments, at_most, report
from benchmarks.speed.studies import ROOT
from mnist_models.foundation.settings import Settings
from mnist_models.search.study import OracleSpec, Study
from mnist_models.training.specification import TrainingSpec
from running.terminal import prepare, run

PIPELINE = [sys.executable, str(ROOT / "flows/full_pipeline.py")]
BARE = [sys.executable, "-m", "benchmarks.speed.bare_pipeline"]
TINY = [  # every stage, as small as it goes; a cached run loads results of the same number and kind
    "--profile=quick", "--images=600", "--epoch-images=500", "--grid-trials=3", "--grid-epochs=2",
    "--hyperband-max-epochs=3", "--bayesian-trials=3", "--bayesian-epochs=1", "--augmentation-trials=2",
    "--augmentation-epochs=1", "--learning-rate-epochs=1", "--recipe-trials=2", "--recipe-epochs=1", "--cnn-epochs=2",
    "--retraining-epochs=3", "--final-epochs=2", "--baseline-epochs=2",
]  # fmt: skip
FREE_STUDIES = 5  # of eight trials and a winner, for each repetition
BUSY = "OVERHEAD_BUSY"  # environment variable: the file to which workers add the seconds of each training


def timed_fit(*args: Any, **kwargs: Any) -> Any:
    """`fit`, which notes in a worker how long it took."""
    from mnist_models.training.loop import fit

    start = time.perf_counter()
    result = fit(*args, **kwargs)
    with Path(os.environ[BUSY]).open("a") as file:
        file.write(f"{time.perf_counter() - start}\n")
    return result


@dataclass
class Studies:
    """What repeated studies cost: seconds of wall time and of `fit` for each, and their trainings."""

    workers: int
    walls: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)

    def measure(self, settings: Settings, *studies: Study) -> None:
        """Runs studies one after the other, and the training of each winner."""
        from flows.preprocessing import preprocessing
        from tasks.stages import tune

        dataset = preprocessing(settings)
        noted = Path(os.environ[BUSY])
        noted.write_text("")
        start = time.perf_counter()
        for study in studies:
            tune(study, dataset, settings, lambda spec: spec)
        self.walls.append(time.perf_counter() - start)
        seconds = [float(line) for line in noted.read_text().splitlines()]
        self.busy.append(sum(seconds))
        self.trials.append(len(seconds))

    def rest(self) -> list[float]:
        """Seconds of each that no worker's training explains."""
        return [wall - busy / self.workers for wall, busy in zip(self.walls, self.busy, strict=True)]

    def share(self) -> list[float]:
        """Orchestration in percent of the wall time."""
        return [100 * rest / wall for rest, wall in zip(self.rest(), self.walls, strict=True)]

    def per_trial(self) -> list[float]:
        """Orchestration in milliseconds a training."""
        return [1000 * rest / trials for rest, trials in zip(self.rest(), self.trials, strict=True)]


def measure_studies(folder: Path, repetitions: int, quick: bool) -> tuple[Studies, Studies, Studies]:
    """Returns what ordinary trials cost with one worker, and nearly free ones with one and with two."""
    prepare()
    from prefect import flow

    import tasks.training
    from benchmarks.speed import overhead  # workers know this module by its name, not as the main one

    os.environ[BUSY] = str(folder / "busy")
    vars(tasks.training)["fit"] = overhead.timed_fit
    ordinary, free, free_on_two = Studies(1), Studies(1), Studies(2)

    def measure(seed: int, ordinary: Studies, free: Studies, free_on_two: Studies) -> None:
        for study in (free, free_on_two):
            settings = Settings(store=folder / f"store-{study.workers}", images=600, workers=study.workers)
            study.measure(settings, *(_free_study(FREE_STUDIES * seed + number) for number in range(FREE_STUDIES)))
        settings = Settings(store=folder / "store-1", images=600 if quick else None, workers=1)
        ordinary.measure(settings, _ordinary_study(seed))

    @flow(name="overhead")
    def studies(settings: Settings) -> None:
        measure(1, Studies(1), Studies(1), Studies(2))  # starts the workers, which trace the networks
        for seed in range(2, repetitions + 2):
            measure(seed, ordinary, free, free_on_two)

    run(studies, Settings(store=folder))
    return ordinary, free, free_on_two


def _free_study(seed: int) -> Study:
    """Eight learning rates of a small network for one epoch."""
    template = TrainingSpec(
        network="fully_connected", hyperparameters={"hidden_layer_size": 50, "depth": 2}, epochs=1, seed=seed
    )
    return Study(
        name="free", space="cnn_learning_rate", oracle=OracleSpec(kind="grid", seed=1, window=4), template=template
    )


def _ordinary_study(seed: int) -> Study:
    """The first trials of the grid, for three epochs."""
    settings = Settings()
    template = TrainingSpec(
        network="fully_connected",
        hyperparameters={},
        batch_size=settings.fully_connected_batch_size,
        epochs=3,
        seed=seed,
    )
    oracle = OracleSpec(kind="grid", seed=1, window=settings.window, max_trials=8)
    return Study(name="ordinary", space="fully_connected_grid", oracle=oracle, template=template)


@dataclass
class Processes:
    """What a command costs that is run again and again."""

    command: list[str]
    walls: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, folder: Path) -> None:
        """Runs it once, from its start to its end."""
        before, start = _cpu_of_children(), time.perf_counter()
        _run(self.command, folder)
        self.walls.append(time.perf_counter() - start)
        self.cpu.append(_cpu_of_children() - before)

    def figures(self, name: str) -> list[Figure]:
        """Wall time and processor time."""
        return [Figure(name, "s", self.walls), Figure(f"{name}: processor", "s", self.cpu)]


def measure_processes(folder: Path, repetitions: int) -> tuple[Processes, Processes, Processes]:
    """Returns what a fully cached run, a bare flow and `--help` cost, taken by turns."""
    cached = Processes([*PIPELINE, *TINY, "--store", str(folder / "pipeline")])
    measured = cached, Processes(BARE), Processes([*PIPELINE, "--help"])
    _run(cached.command, folder)
    for _ in range(repetitions):
        for command in measured:
            command.measure(folder)
    return measured


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
    environment |= {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    environment |= {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120", "PREFECT_LOGGING_LEVEL": "WARNING"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(options: argparse.Namespace) -> None:
    """Measures and prints everything."""
    repetitions = 1 if options.quick else 5
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        os.environ.pop("PREFECT_API_URL", None)
        cached, bare, help_ = measure_processes(folder, repetitions)
        os.environ["PREFECT_HOME"] = str(folder / "prefect-studies")
        ordinary, free, free_on_two = measure_studies(folder, repetitions, options.quick)
    ours = [mine - theirs for mine, theirs in zip(cached.walls, bare.walls, strict=True)]
    figures = [
        Figure("ordinary trials, 1 worker: wall time of the study", "s", ordinary.walls),
        Figure("ordinary trials, 1 worker: orchestration", "% of wall", ordinary.share()),
        Figure("ordinary trials, 1 worker: orchestration", "ms a trial", ordinary.per_trial()),
        Figure("nearly free trials, 1 worker: orchestration", "ms a trial", free.per_trial()),
        Figure("nearly free trials, 2 workers: orchestration", "ms a trial", free_on_two.per_trial()),
        *cached.figures("fully cached run"),
        *bare.figures("bare flow, run the same way"),
        Figure("fully cached run: ours", "s", ours),
        *help_.figures("--help"),
    ]
    share, per_trial, two = (figures[number].median for number in (1, 3, 4))
    claims: list[Ratio] = [
        at_most("orchestration of ordinary trials, % of wall time", share, 3),
        at_most("orchestration of a trial, 1 worker, ms", per_trial, 30),
        at_most("orchestration of a trial, 2 workers, ms", two, 30),
        at_most("fully cached run, s", figures[5].median, 10),
        at_most("share of the cached run that is ours", 1 - figures[7].median / figures[5].median, 0.5),
        at_most("--help, s", figures[-2].median, 1),
    ]
    report("What the pipeline costs besides training", figures, claims, options)


if __name__ == "__main__":
    main(arguments(__doc__).parse_args())
