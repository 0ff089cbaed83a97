from __future__ import annotations

import numpy as np
import pytest

from mnist_models.programs.calibration import fit_temperature


def test_temperature_is_the_one_that_logits_were_divided_by() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (20_000, 5))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from softmax(logits)
    for factor in (0.3, 1.0, 2.5):
        assert fit_temperature((logits * factor).astype(np.float32), labels) == pytest.approx(factor, rel=0.05)
