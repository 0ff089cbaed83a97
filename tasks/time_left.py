"""When the stages of a run will be done: the rest of the plan, played through on the workers that there are."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Rest:
    """What is left of a stage, in seconds of a worker.

    Attributes:
        name: Of the stage.
        running_trials, running_models: What each training under way still needs.
        trials: Of its study, that nobody has begun.
        models: Trained after the study, or without one.
        window: Trials that are open at a time.
        after: The stage whose study must be done before; None for none.
        last: Whether all other stages must be done before.
    """

    name: str
    running_trials: list[float] = field(default_factory=list)
    running_models: list[float] = field(default_factory=list)
    trials: list[float] = field(default_factory=list)
    models: list[float] = field(default_factory=list)
    window: int = 1
    after: str | None = None
    last: bool = False


def ends(stages: Sequence[Rest], workers: int) -> dict[str, float]:
    """Returns in how many seconds each stage is done, where the first of them gets a free worker first.

    Args:
        stages: In the order in which workers serve them; a stage that has nothing left is done.
        workers: How many trainings run at a time.
    """
    return _Play(stages, workers).ends()


class _Play:
    """A run's rest, training by training."""

    def __init__(self, stages: Sequence[Rest], workers: int) -> None:
        self.stages = {stage.name: stage for stage in stages}
        self.trials = {stage.name: list(stage.trials) for stage in stages}
        self.models = {stage.name: list(stage.models) for stage in stages}
        self.open_trials = {stage.name: len(stage.running_trials) for stage in stages}
        self.open_models = {stage.name: len(stage.running_models) for stage in stages}
        self.under_way: list[tuple[float, str, bool]] = []  # a heap of (end, stage, whether it is a trial)
        for stage in stages:
            self.under_way += [(seconds, stage.name, True) for seconds in stage.running_trials]
            self.under_way += [(seconds, stage.name, False) for seconds in stage.running_models]
        heapq.heapify(self.under_way)
        self.free = workers - len(self.under_way)

    def ends(self) -> dict[str, float]:
        """Plays it to its end."""
        done = dict.fromkeys(self.stages, 0.0)
        now = 0.0
        while True:
            while self.free > 0 and self._begin_next(now):
                self.free -= 1
            if not self.under_way:
                return done
            now, name, is_trial = heapq.heappop(self.under_way)
            (self.open_trials if is_trial else self.open_models)[name] -= 1
            self.free += 1
            done[name] = now

    def _begin_next(self, now: float) -> bool:
        for name, stage in self.stages.items():
            if not self._may_begin(stage):
                continue
            if self.trials[name]:
                if self.open_trials[name] < stage.window:
                    self.open_trials[name] += 1
                    heapq.heappush(self.under_way, (now + self.trials[name].pop(0), name, True))
                    return True
            elif self.models[name] and not self.open_trials[name]:
                self.open_models[name] += 1
                heapq.heappush(self.under_way, (now + self.models[name].pop(0), name, False))
                return True
        return False

    def _may_begin(self, stage: Rest) -> bool:
        if stage.last:
            return not any(self._is_left(name) for name in self.stages if name != stage.name)
        return stage.after not in self.stages or not (self.trials[stage.after] or self.open_trials[stage.after])

    def _is_left(self, name: str) -> bool:
        return bool(self.trials[name] or self.models[name] or self.open_trials[name] or self.open_models[name])
