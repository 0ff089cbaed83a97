from __future__ import annotations

import numpy as np
import pytest

from mnist_models.optimizers.optimizer import Optimizer, learning_rates


def test_one_cycle_rises_and_falls_to_zero() -> None:
    optimizer = Optimizer(learning_rate=0.5, schedule="one_cycle")
    rates = learning_rates(optimizer, 0, 100, 100)
    assert rates.argmax() == 29
    assert rates.max() == pytest.approx(0.5)
    assert rates[-1] == 0
    assert np.array_equal(rates[40:60], learning_rates(optimizer, 40, 20, 100))
