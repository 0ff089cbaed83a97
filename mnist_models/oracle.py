"""A study is a replayable conversation with a KerasTuner oracle.

One thread asks for trials until a fixed window of them is open, tells the oldest's score, and asks again. What is
proposed then depends on search space, oracle, seed, window and scores only: not on the number of workers, nor on which
is faster. To resume a study is to hold the same conversation again, with the finished trials' results at hand.
"""

from __future__ import annotations

import math
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
from keras_tuner import HyperParameters, Objective
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from threadpoolctl import threadpool_limits

from mnist_models import search_spaces
from mnist_models.study import OracleSpec, Proposal

BOOKKEEPING = "tuner/"  # prefix of the values that Hyperband adds


class Outcome(Protocol):
    """The running trial of a proposal."""

    def score(self) -> float:
        """Waits for the trial and returns its finite score; lower is better."""


Started = TypeVar("Started", bound=Outcome)


class _GridOracle(GridSearchOracle):  # type: ignore[misc]
    """Proposes without waiting: KerasTuner's own waits for each trial, since it might add hyperparameters."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["status"] == "RUNNING":
            self._populate_next.append(trial_id)
        return proposal


class _Regressor(GaussianProcessRegressor):  # type: ignore[misc]
    """Predicts what scikit-learn's own does, to the last bit, without a check of each input.

    A proposal takes more than 10,000 predictions, of one point each; the checks took twice their time.
    """

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Returns mean and standard deviation at points, by algorithm 2.1 of Rasmussen and Williams (2006)."""
        if not hasattr(self, "X_train_") or return_cov or not return_std:
            return super().predict(X, return_std, return_cov)
        similarity = self.kernel_(X, self.X_train_)
        explained = solve_triangular(self.L_, similarity.T, lower=True, check_finite=False)
        variance = self.kernel_.diag(X) - np.einsum("ij,ji->i", explained.T, explained)
        mean = self._y_train_std * (similarity @ self.alpha_) + self._y_train_mean
        return mean, np.sqrt(np.maximum(variance, 0.0) * self._y_train_std**2)


class _BayesianOracle(BayesianOptimizationOracle):  # type: ignore[misc]
    """Proposes nothing twice: KerasTuner's own does where its model is sure, and while trials are open.

    Trials are deterministic, so a second one would tell nothing new; a random proposal does.
    """

    def _make_gpr(self) -> GaussianProcessRegressor:
        return _Regressor(**super()._make_gpr().get_params(deep=False))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["values"] is not None and self._duplicate(proposal["values"]):
            proposal = self._random_populate_space()
        return proposal


def converse(spec: OracleSpec, space: HyperParameters, submit: Callable[[Proposal], Started]) -> Iterator[Started]:
    """Holds the conversation, and yields each trial once it has been told, in the order asked.

    Args:
        spec: The oracle.
        space: The search space.
        submit: Starts a trial.
    """
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:  # the oracle insists on files; nobody reads them
        oracle = build_oracle(spec, space, folder)
        numbers: dict[str, int] = {}
        open_trials: deque[tuple[Any, Started]] = deque()
        while True:
            while len(open_trials) < spec.window:
                # Matrices this small only get slower on more threads, and the workers need the cores.
                with threadpool_limits(1):
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


def build_oracle(spec: OracleSpec, space: HyperParameters, folder: str) -> Any:
    """Builds the KerasTuner oracle, which minimises `val_loss`."""
    common: dict[str, Any] = {
        "objective": Objective("val_loss", "min"),
        "hyperparameters": space,
        "seed": spec.seed,
        "allow_new_entries": False,
        "tune_new_entries": False,
    }
    if spec.kind == "grid":
        oracle = _GridOracle(max_trials=spec.max_trials, **common)
    elif spec.kind == "hyperband":
        oracle = HyperbandOracle(max_epochs=spec.max_epochs, factor=spec.factor, **common)
    else:
        oracle = _BayesianOracle(max_trials=spec.max_trials, num_initial_points=spec.initial_points, **common)
    oracle.verbose = 0
    oracle._set_project_dir(folder, "study")
    return oracle


def search_space(name: str) -> HyperParameters:
    """Returns the search space of that name."""
    space: HyperParameters = getattr(search_spaces, name)()
    return space


def expected_costs(spec: OracleSpec, space: HyperParameters) -> list[int]:
    """What each trial will cost in relation to the others, in the order asked, as far as that is known beforehand.

    Trials of Hyperband cost the epochs that they add to those of the trial they continue; all others count alike. A
    small space may end Hyperband and Bayesian earlier.
    """
    if spec.kind == "hyperband":
        return _hyperband_epochs(HyperbandOracle(objective="val_loss", max_epochs=spec.max_epochs, factor=spec.factor))
    combinations = math.prod(len(list(hyperparameter.values)) for hyperparameter in space.space)
    return [1] * min(spec.max_trials or combinations, combinations)


def _hyperband_epochs(oracle: HyperbandOracle) -> list[int]:
    added: list[int] = []
    for bracket in reversed(range(oracle._get_num_brackets())):
        before = 0
        for number in range(oracle._get_num_rounds(bracket)):
            epochs = oracle._get_epochs(bracket, number)
            added += [epochs - before] * oracle._get_size(bracket, number)
            before = epochs
    return added


def _proposal(trial: Any, numbers: dict[str, int]) -> Proposal:
    values = trial.hyperparameters.values
    searched = {name: value for name, value in values.items() if not name.startswith(BOOKKEEPING)}
    parent = values.get("tuner/trial_id")
    return Proposal(
        number=numbers[trial.trial_id],
        values={name: _rounded(value) for name, value in searched.items()},
        epochs=values.get("tuner/epochs"),
        parent=None if parent is None else numbers[parent],
    )


def _rounded(value: int | float | str) -> int | float | str:
    """Steps of 0.05 add up to 0.15000000000000002; a person wrote 0.15."""
    return round(value, 10) if isinstance(value, float) else value
