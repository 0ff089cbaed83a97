"""Oracles of KerasTuner's interface: its own grid and Hyperband, and ours."""

from __future__ import annotations

import copy
from typing import Any

from keras_tuner import HyperParameters, Objective, Oracle
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import GridSearchOracle, HyperbandOracle

from mnist_models.search.halving import Halving
from mnist_models.search.study import OracleSpec

BOOKKEEPING = "tuner/"  # prefix of the values that tell how a trial is to be trained


class _GridOracle(GridSearchOracle):  # type: ignore[misc]
    """Proposes without waiting: KerasTuner's own waits for each trial, since it might add hyperparameters."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["status"] == TrialStatus.RUNNING:
            self._populate_next.append(trial_id)
        return proposal


class _SharedSpace(HyperParameters):  # type: ignore[misc]
    """A search space whose copies share it: KerasTuner makes one for each trial, which is slow, and would be kept."""

    def copy(self) -> _SharedSpace:
        return copy.copy(self)


class HalvingOracle(Oracle):  # type: ignore[misc]
    """Successive halving with proposals from a model.

    A trial's values carry, besides the hyperparameters, how it is to be trained: "tuner/trial_id" of the one that it
    continues, "tuner/budgets", "tuner/rung", "tuner/last" and "tuner/seed" (see `mnist_models.search.study.Proposal`).

    Args:
        spec: Of kind "halving".
        **options: Of every oracle.
    """

    def __init__(self, spec: OracleSpec, **options: Any) -> None:
        super().__init__(**options)
        self.hyperparameters: HyperParameters = _SharedSpace.from_config(options["hyperparameters"].get_config())
        self._halving = Halving(spec, self.hyperparameters)
        self._numbers: dict[str, int] = {}

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next trial's values, or whether to wait for others, or to stop."""
        ask = self._halving.ask()
        if ask is None:
            return {"status": TrialStatus.STOPPED if self._halving.done else TrialStatus.IDLE, "values": None}
        self._numbers[trial_id] = ask.number
        how: dict[str, Any] = {
            "budgets": self._halving.budgets(ask),
            "rung": ask.rung,
            "last": self._halving.is_last(ask),
            "seed": ask.seed,
        }
        if ask.parent is not None:
            how["trial_id"] = next(name for name, number in self._numbers.items() if number == ask.parent)
        values = {**ask.values, **{f"{BOOKKEEPING}{name}": value for name, value in how.items()}}
        return {"status": TrialStatus.RUNNING, "values": values}

    def save(self) -> None:
        """Writes nothing: nobody reads it, and with each trial it would be longer."""

    def _save_trial(self, trial: Any) -> None:
        """Likewise."""

    def _check_consecutive_failures(self) -> None:
        """Looks at nothing: to the oracle, a trial that failed is one with a bad score."""

    def end_trial(self, trial: Any) -> None:
        """Takes in a finished trial."""
        super().end_trial(trial)
        self._halving.tell(self._numbers[trial.trial_id], self.trials[trial.trial_id].score)


def build_oracle(spec: OracleSpec, space: HyperParameters, folder: str) -> Any:
    """Builds the oracle, which minimises `val_loss`."""
    common: dict[str, Any] = {
        "objective": Objective("val_loss", "min"),
        "hyperparameters": space,
        "seed": spec.seed,
        "allow_new_entries": False,
        "tune_new_entries": False,
    }
    if spec.kind == "grid":
        oracle: Any = _GridOracle(max_trials=spec.max_trials, **common)
    elif spec.kind == "hyperband":
        oracle = HyperbandOracle(max_epochs=spec.max_epochs, factor=spec.factor, **common)
    else:
        oracle = HalvingOracle(spec, **common)
    oracle.verbose = 0
    oracle._set_project_dir(folder, "study")
    return oracle
