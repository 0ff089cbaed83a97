"""What the trials of a study will cost, as far as that is known before it begins."""

from __future__ import annotations

import math

from keras_tuner import HyperParameters
from keras_tuner.oracles import HyperbandOracle

from mnist_models.search.study import OracleSpec


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
