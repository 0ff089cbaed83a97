"""How a run is doing: what it plans, what its workers do, what is done; for the terminal, the UI and the time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mnist_models.training.cost import USUAL_COSTS
from tasks.time_left import Rest, ends

TRIAL = "trial"
START_SECONDS = 9.0  # until workers have imported TensorFlow
END_SECONDS = 3.5  # the file of the model, and the report
PRIOR = 0.1  # what is measured counts against so much of what was expected
LEAST_LEFT = 0.1  # of what was expected, where a training takes longer


@dataclass
class Training:
    """One training of a stage.

    Attributes:
        name: Within the stage: "trial 3", "winner", "seed 1".
        kind: Of network.
        expected: Seconds of a worker, by the plan.
        begun: When a worker began with it, or None.
        seconds: What a worker took for it; None while it is not done, 0 where it came from the store.
    """

    name: str
    kind: str
    expected: float
    begun: float | None = None
    seconds: float | None = None

    @property
    def is_trial(self) -> bool:
        """Whether it belongs to a study."""
        return self.name.startswith(TRIAL)


@dataclass
class Stage:
    """A stage of the run.

    Attributes:
        name: Of the stage.
        trainings: All that it plans or has asked for, by name, in order.
        window, after, last: See `tasks.time_left.Rest`.
        best: The lowest validation loss of its trials, or of its model.
        done: Whether it is over.
    """

    name: str
    trainings: dict[str, Training] = field(default_factory=dict)
    window: int = 1
    after: str | None = None
    last: bool = False
    best: float | None = None
    done: bool = False

    def finished(self) -> list[Training]:
        """The trainings that are done."""
        return [training for training in self.trainings.values() if training.seconds is not None]

    def running(self) -> list[Training]:
        """Those that a worker is at."""
        return [t for t in self.trainings.values() if t.begun is not None and t.seconds is None]


class Progress:
    """Takes note of everything a run does; asked from any thread.

    Args:
        clock: Seconds that never go back.

    Attributes:
        stages: By name, in the order in which workers serve them.
        workers: How many trainings run at a time.
        costs: What trainings are expected to cost.
        end_seconds: What comes after the last training.
        lock: To be held by who looks at more than one of these.
        events: All that was told, with the seconds since the beginning: enough to tell it again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stages: dict[str, Stage] = {}
        self.workers = 1
        self.costs = USUAL_COSTS
        self.end_seconds = END_SECONDS
        self.events: list[tuple[float, str, list[Any]]] = []
        self._clock = clock
        self._start = clock()
        self.lock = threading.RLock()

    def plan(
        self,
        stage: str,
        kind: str,
        trainings: Mapping[str, float],
        window: int = 1,
        after: str | None = None,
        last: bool = False,
    ) -> None:
        """Says what a stage will train; replaces what was said of the same trainings before they began.

        Args:
            stage: Its name; stages are served in the order in which they are first named.
            kind: Of network: what is measured on one training says most of others of its kind.
            trainings: Expected seconds of each, by name within the stage ("trial 1" for trials).
            window: Trials of its study that are open at a time.
            after: The stage whose study must be done before; None for none.
            last: Whether all other stages must be done before.
        """
        with self.lock:
            self._note("plan", stage, kind, dict(trainings), window, after, last)
            known = self.stages.setdefault(stage, Stage(stage, window=window, after=after, last=last))
            known.window = max(known.window, window)
            for name, seconds in trainings.items():
                if name not in known.trainings or known.trainings[name].begun is None:
                    known.trainings[name] = Training(name, kind, seconds)

    def plan_end(self, seconds: float) -> None:
        """Says what comes after the last training, besides the report: so many seconds."""
        self._note("plan_end", seconds)
        self.end_seconds = END_SECONDS + seconds

    def begin(self, stage: str, name: str) -> None:
        """A worker begins with a training."""
        with self.lock:
            self._note("begin", stage, name)
            training = self._training(stage, name)
            training.begun, training.seconds = self._clock(), None

    def end(self, stage: str, name: str, score: float | None) -> None:
        """A training is done, with that validation loss: a worker has ended it, or it came from the store."""
        with self.lock:
            self._note("end", stage, name, score)
            training = self._training(stage, name)
            if training.seconds is None:  # the study tells it once more, when its turn has come
                training.seconds = 0.0 if training.begun is None else self._clock() - training.begun
            best = self.stages[stage].best
            if score is not None and (best is None or score < best):
                self.stages[stage].best = score

    def drop(self, stage: str, *, trials_only: bool = False) -> None:
        """What a stage has planned and not begun will not be: it was in the store, or its study ended early."""
        with self.lock:
            self._note("drop", stage, trials_only)
            known = self.stages.setdefault(stage, Stage(stage))
            known.trainings = {
                name: t
                for name, t in known.trainings.items()
                if t.begun is not None or t.seconds is not None or (trials_only and not t.is_trial)
            }
            known.done = known.done or not trials_only

    def seconds(self) -> float:
        """Since the run began."""
        return self._clock() - self._start

    def since(self, moment: float) -> float:
        """Seconds since a moment on the clock."""
        return self._clock() - moment

    def time_left(self) -> tuple[dict[str, float], float]:
        """Returns in how many seconds each stage will be done, and the whole run."""
        with self.lock:
            everything = [training for stage in self.stages.values() for training in stage.trainings.values()]
            overall = _ratio(everything, 1.0)
            kinds = {t.kind for t in everything}
            factors = {kind: _ratio([t for t in everything if t.kind == kind], overall) for kind in kinds}
            rests = [self._rest(stage, factors) for stage in self.stages.values()]
            begun = any(training.begun is not None for training in everything)
            start = 0.0 if begun else max(START_SECONDS - self.seconds(), 0.0)
            left = {name: start + seconds for name, seconds in ends(rests, self.workers).items()}
            return left, max(left.values(), default=0.0) + self.end_seconds

    def _rest(self, stage: Stage, factors: Mapping[str, float]) -> Rest:
        """What is left of a stage; `factors` say how much longer than expected trainings of each kind take."""
        rest = Rest(stage.name, window=stage.window, after=stage.after, last=stage.last)
        trials = [training for training in stage.trainings.values() if training.is_trial]
        models = [training for training in stage.trainings.values() if not training.is_trial]
        self._sort(trials, rest.trials, rest.running_trials, factors)
        self._sort(models, rest.models, rest.running_models, factors)
        return rest

    def _sort(
        self, alike: list[Training], waiting: list[float], running: list[float], factors: Mapping[str, float]
    ) -> None:
        """Appends what unfinished trainings still need: measured on those of the stage, or while few, of their kind."""
        factor = _ratio(alike, factors[alike[0].kind]) if alike else 1.0
        for training in alike:
            seconds = training.expected * factor
            if training.seconds is None and training.begun is None:
                waiting.append(seconds)
            elif training.seconds is None and training.begun is not None:
                running.append(max(seconds - (self._clock() - training.begun), LEAST_LEFT * seconds))

    def _training(self, stage: str, name: str) -> Training:
        known = self.stages.setdefault(stage, Stage(stage))
        return known.trainings.setdefault(name, Training(name, "", 1.0))

    def _note(self, event: str, *arguments: Any) -> None:
        self.events.append((round(self._clock() - self._start, 3), event, list(arguments)))


def _ratio(trainings: list[Training], prior: float) -> float:
    """Seconds taken to seconds expected; the prior counts as much as some share of all that is expected of them."""
    measured = [training for training in trainings if training.seconds]
    taken, expected = sum(t.seconds or 0.0 for t in measured), sum(t.expected for t in measured)
    assumed = PRIOR * sum(training.expected for training in trainings)
    if not expected + assumed:
        return prior
    return (taken + prior * assumed) / (expected + assumed)


PROGRESS = Progress()
"""How the run of this process is doing."""
