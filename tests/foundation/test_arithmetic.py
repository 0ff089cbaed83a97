"""What two machines must have in common to compute the same bits."""

from __future__ import annotations

import os

import pytest

from mnist_models.foundation.arithmetic import arithmetic_here
from mnist_models.foundation.processor import KERNELS, choose_kernels


@pytest.mark.skipif(not KERNELS, reason="oneDNN is chosen on x86-64 only")
def test_kernels_count_as_chosen_before_and_after_and_differ_where_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [(name, value)] = KERNELS.items()
    monkeypatch.delenv(name, raising=False)
    before = arithmetic_here()
    choose_kernels()
    assert os.environ[name] == value
    assert arithmetic_here() == before

    monkeypatch.setenv(name, "0")
    choose_kernels()
    assert os.environ[name] == "0"
    assert before.differences(arithmetic_here()) == [f"{name}: expected {value}, found 0"]
