"""What a study of thousands of trials costs the flow, for each of its trials: time, and memory that stays.

    python -m benchmarks.cluster.many_trials [--trials 10000] [--proposals random] [--server URL] …
    python -m benchmarks.cluster.many_trials --trials 2560 --workers 256 --seconds 20

A study of the residual network's recipes runs through its real tasks, in a real flow, with a temporary server of
Prefect, or the one that is given, and a cluster's workers. Only the training is none: it returns at once, with a loss
that depends on the hyperparameters. So the wall time is what orchestration takes: proposals, task runs and their
states, records, the way to a worker and back. It is taken for each tenth of the trials. `--proposals model` measures
those of the model, too. With `--seconds`, trainings sleep so long, a tenth more or less, and what is taken besides is
how busy the workers are, from the first training's beginning until there are more workers than trials. Beyond 128 open
trials (`--window`) they are no task runs; `--told` shows what they would cost as such.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cluster.machines import machines
from benchmarks.cluster.utilisation import UTILISATION, utilisation
from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import digest
from mnist_models.foundation.settings import Settings
from mnist_models.search.study import OracleSpec, Rung, Study
from mnist_models.training.result import TrainingResult
from mnist_models.training.specification import TrainingSpec
from running.terminal import prepare, run

PARTS = 10
SLOWER = 1.5  # the last tenth may take so many times what the second took
KILOBYTES = 20.0  # that a trial may leave behind in the flow


def no_fit(
    seconds: float, spec: TrainingSpec, dataset: DatasetReference, root: Path, *, key: str, **_: Any
) -> TrainingResult:
    """Instead of a training: sleeps, and returns a loss that depends on what would have been trained."""
    began = time.time()
    time.sleep(seconds * random.Random(key).uniform(0.9, 1.1))
    loss = 0.1 + int(digest(spec.hyperparameters)[:6], 16) / 16**6
    history = {"loss": (loss,), "accuracy": (0.9,), "val_loss": (loss,), "val_accuracy": (0.9,)}
    history |= {"began": (began,), "ended": (time.time(),)}
    return TrainingResult(key=key, spec=spec, history=history, epochs=1, best_epoch=1, seconds=0.01, parameters=1)


class Samples:
    """Wall time, processor time and memory of this process at each tenth of the trials."""

    def __init__(self, trials: int) -> None:
        self._each = max(trials // PARTS, 1)
        self._submitted = 0
        self.taken: list[tuple[float, float, float]] = []
        self.spans: list[tuple[float, float]] = []

    def note(self) -> None:
        """Counts a trial."""
        if self._submitted % self._each == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.taken.append((time.perf_counter(), time.process_time(), pages * os.sysconf("SC_PAGE_SIZE")))
        self._submitted += 1

    def per_trial(self, number: int, scale: float) -> list[float]:
        """How much of one of the three each trial took, on average, tenth by tenth."""
        pairs = zip(self.taken, self.taken[1:], strict=False)
        return [scale * (after[number] - before[number]) / self._each for before, after in pairs]


def main(options: argparse.Namespace) -> None:
    """Runs the study and prints what was measured."""
    trials = 200 if options.quick else options.trials
    with tempfile.TemporaryDirectory(prefix="many-trials-") as name, machines(options.workers) as address:
        os.environ.pop("PREFECT_API_URL", None)
        if options.server:
            os.environ["PREFECT_API_URL"] = options.server
        os.environ["PREFECT_HOME"] = str(Path(name) / "prefect")
        window = options.window or (2 * options.workers if options.seconds else 0)
        settings = Settings(
            store=Path(name) / "store", images=600, cluster=address,
            **({"window": window} if window else {}),
        )  # fmt: skip
        samples = measure(settings, trials, options.proposals, options.seconds, options.told)
    wall, used = samples.per_trial(0, 1e3), samples.per_trial(1, 1e3)
    memory = samples.per_trial(2, 1e-3)
    figures = [
        Figure("wall time of a tenth", "ms a trial", wall),
        Figure("flow's processor time of a tenth", "ms a trial", used),
        Figure("flow's memory, growth in a tenth", "kB a trial", memory),
    ]
    claims: list[Ratio] = [
        at_most("memory that a trial leaves behind, kB", max(statistics.fmean(memory[1:]), 0.0), KILOBYTES),
    ]
    if options.seconds:
        share = utilisation(samples.spans, options.workers, min(samples.spans)[0])
        figures.append(Figure(f"utilisation of {options.workers} workers", "%", [share]))
        claims.append(at_least("utilisation, %", share, 1.0, UTILISATION.get(options.workers, 0.0)))
    else:
        claims.append(at_most("the last tenth's wall time to the second's", wall[-1] / wall[1], SLOWER))
    report(f"A study of {trials} trials, proposals: {options.proposals}", figures, claims, options)


def measure(settings: Settings, trials: int, proposals: Any, seconds: float, told: bool) -> Samples:
    """Returns what each tenth of a study's trials took."""
    prepare()
    from prefect import flow

    import tasks.training
    import tasks.tuning
    from benchmarks.cluster import many_trials  # workers know this module by its name, not as the main one
    from flows.beginning import begin
    from flows.recipe import plan_recipe, recipe_study

    if told:
        vars(tasks.tuning)["MOST_TOLD"] = trials
    vars(tasks.training)["fit"] = functools.partial(many_trials.no_fit, seconds)
    submit, samples = tasks.tuning.submit_trial, Samples(trials)

    def counted(*args: Any, **kwargs: Any) -> Any:
        samples.note()
        ended = submit(*args, **kwargs)

        def noted() -> TrainingResult | Exception:
            result: TrainingResult | Exception = ended()
            if isinstance(result, TrainingResult):
                samples.spans.append((result.history["began"][0], result.history["ended"][0]))
            return result

        return noted

    vars(tasks.tuning)["submit_trial"] = counted

    @flow(name="many trials")
    def study(settings: Settings) -> None:
        settings, dataset = begin(settings, None, "many_trials", plan_recipe)
        usual = recipe_study(settings)
        oracle = OracleSpec(
            kind="halving", seed=1, window=settings.window, brackets=((Rung(trials=trials, images=500),),),
            proposals=proposals,
        )  # fmt: skip
        many = Study(name="many", space=usual.space, oracle=oracle, template=usual.template)
        tasks.tuning.run_study(many, dataset, settings)
        samples.note()

    run(study, settings)
    return samples


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="of the cluster; processes of this machine hold 32 each")
    parser.add_argument("--seconds", type=float, default=0.0, help="that a training sleeps (default: 0)")
    parser.add_argument(
        "--window", type=int, default=0, help="trials open at a time (default: the profile's, or two a worker)"
    )
    parser.add_argument("--told", action="store_true", help="each trial is a task run, however many are open")
    parser.add_argument("--server", metavar="URL", help="API of a running server of Prefect (default: a temporary one)")
    parser.add_argument("--proposals", choices=("random", "model"), default="random")
    main(parser.parse_args())
