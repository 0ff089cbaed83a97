"""How much each hyperparameter matters to the loss: by permutation, on trees judged on trials they never saw."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_models.report.studies.outcomes import Outcomes, loss
from mnist_models.search.trials import Trial

FEWEST_TRIALS = 8
FORESTS = 6  # whose spread is shown
TREES = 20  # of each forest
EXPLAINS_NOTHING = 0.1  # of the differences between trials, in the mean of the forests: no more than chance can do


@dataclass(frozen=True)
class Importance:
    """What forests say of a study.

    Attributes:
        explained: Share of the differences in log loss that the forests predict for combinations that they have not
            seen; mean of the forests. Below 0 where they do worse than the mean of all would.
        shares: By hyperparameter, the share of the differences that is no longer predicted where its values are
            shuffled: mean and standard deviation over the forests.
    """

    explained: float
    shares: dict[str, tuple[float, float]]

    @property
    def nothing(self) -> bool:
        """Whether the forests explain nothing, so that the shares mean nothing."""
        return self.explained < EXPLAINS_NOTHING


def importance(seen: Outcomes, names: Sequence[str]) -> Importance | None:
    """Measures the permutation importance (Breiman 2001) of hyperparameters, out of bag.

    Each combination counts once, as far as it was trained; what training further gives is taken off.

    Args:
        seen: The study's trials.
        names: Hyperparameters that all trials have.

    Returns:
        The mean of several forests and their spread; None for too few trials or equal ones.
    """
    trials = [trial for trial in seen.combinations() if loss(trial) > 0]
    if len(trials) < FEWEST_TRIALS or not names:
        return None
    gained = _gains(seen)
    targets = np.array([np.log(loss(trial)) - gained[seen.level[trial.number]] for trial in trials])
    if np.ptp(targets) <= 0:
        return None
    inputs = np.column_stack([_column(trials, name) for name in names]).astype(np.float32)
    errors = np.array([_forest_errors(inputs, targets, seed) for seed in range(FORESTS)]) / targets.var()
    shares = errors[:, 1:] - errors[:, :1]
    means, spreads = shares.mean(axis=0).tolist(), shares.std(axis=0, ddof=1).tolist()
    return Importance(1 - float(errors[:, 0].mean()), dict(zip(names, zip(means, spreads, strict=True), strict=True)))


def _gains(seen: Outcomes) -> list[float]:
    """What training to each level adds to the log loss of the same combination, on average; 0 for the lowest."""
    by_number = {trial.number: trial for trial in seen.finished}
    gains = [0.0] * len(seen.shades)
    for level in range(1, len(gains)):
        steps = [
            float(np.log(loss(trial) / loss(parent))) + gains[seen.level[parent.number]]
            for trial in seen.finished
            if seen.level[trial.number] == level and trial.parent in by_number
            and loss(trial) > 0 and loss(parent := by_number[trial.parent]) > 0
        ]  # fmt: skip
        gains[level] = statistics.fmean(steps) if steps else gains[level - 1]
    return gains


def _forest_errors(inputs: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """Mean squared errors of a forest out of bag: with the values as they are, then with each column shuffled."""
    from sklearn.tree import ExtraTreeRegressor  # takes a second to import: only where a study is large enough

    generator = np.random.default_rng(seed)
    count, columns = inputs.shape
    sums, votes = np.zeros((columns + 1, count)), np.zeros(count)
    for tree in range(TREES):
        drawn = np.bincount(generator.integers(count, size=count), minlength=count)
        unseen = np.flatnonzero(drawn == 0)
        if not len(unseen):
            continue
        model = ExtraTreeRegressor(min_samples_leaf=2, random_state=seed * TREES + tree)
        model.fit(inputs, targets, sample_weight=drawn.astype(np.float64), check_input=False)
        asked = np.repeat(inputs[None, unseen], columns + 1, axis=0)
        for column in range(columns):
            asked[column + 1, :, column] = generator.choice(inputs[:, column], len(unseen), replace=False)
        sums[:, unseen] += model.predict(asked.reshape(-1, columns), check_input=False).reshape(columns + 1, -1)
        votes[unseen] += 1
    judged = votes > 0
    errors: np.ndarray = np.square(sums[:, judged] / votes[judged] - targets[judged]).mean(axis=1)
    return errors


def _column(trials: Sequence[Trial], name: str) -> list[int]:
    """The values of a hyperparameter by their order: trees ask for no more, and random cuts need even steps."""
    values = [trial.values[name] for trial in trials]
    order = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    return [order.index(value) for value in values]
