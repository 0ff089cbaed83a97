"""A study is a replayable conversation with a KerasTuner oracle.

One thread asks for trials until a fixed window of them is open, tells the oldest's score, and asks again. What is
proposed then depends on search space, oracle, seed, window and scores only: not on the number of workers, nor on which
is faster. To resume a study is to hold the same conversation again, with the finished trials' results at hand.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from keras_tuner import HyperParameters
from threadpoolctl import threadpool_limits

from mnist_models.search.oracles import BOOKKEEPING, build_oracle
from mnist_models.search.study import OracleSpec, Proposal


class Outcome(Protocol):
    """The running trial of a proposal."""

    def score(self) -> float:
        """Waits for the trial and returns its finite score; lower is better."""


Started = TypeVar("Started", bound=Outcome)


def converse(spec: OracleSpec, space: HyperParameters, submit: Callable[[Proposal], Started]) -> Iterator[Started]:
    """Holds the conversation, and yields each trial once it has been told, in the order asked.

    Linear algebra in this process has one thread from then on, so that studies side by side do not change each other's.

    Args:
        spec: The oracle.
        space: The search space.
        submit: Starts a trial.
    """
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:  # the oracle insists on files; nobody reads them
        oracle = build_oracle(spec, space, folder)
        numbers: dict[str, int] = {}
        open_trials: deque[tuple[Any, Started]] = deque()
        threadpool_limits(1)  # matrices this small only get slower on more threads, and the workers need the cores
        while True:
            while len(open_trials) < spec.window:
                trial = oracle.create_trial(f"ask-{len(numbers) + 1}")
                if trial.status != "RUNNING":
                    break
                numbers[trial.trial_id] = len(numbers) + 1
                open_trials.append((trial, submit(_proposal(trial, numbers))))
            if not open_trials:
                return
            trial, outcome = open_trials.popleft()
            score = outcome.score()  # whatever goes wrong here must not happen inside the oracle, which keeps its lock
            oracle.update_trial(trial.trial_id, {"val_loss": score})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            yield outcome


def _proposal(trial: Any, numbers: dict[str, int]) -> Proposal:
    values = trial.hyperparameters.values
    searched = {name: value for name, value in values.items() if not name.startswith(BOOKKEEPING)}
    parent = values.get("tuner/trial_id")
    return Proposal(
        number=numbers[trial.trial_id],
        values={name: _rounded(value) for name, value in searched.items()},
        epochs=values.get("tuner/epochs"),
        parent=None if parent is None else numbers[parent],
        budgets=values.get("tuner/budgets", ()),
        rung=values.get("tuner/rung", 0),
        last=values.get("tuner/last", True),
        seed=values.get("tuner/seed", 0),
    )


def _rounded(value: int | float | str) -> int | float | str:
    """Steps of 0.05 add up to 0.15000000000000002; a person wrote 0.15."""
    return round(value, 10) if isinstance(value, float) else value
