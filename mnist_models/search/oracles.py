"""KerasTuner's oracles, each made fit for a conversation that is replayed."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras_tuner import HyperParameters, Objective
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor

from mnist_models.search.study import OracleSpec


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
