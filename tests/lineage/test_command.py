"""The command that makes a run again."""

from __future__ import annotations

import shlex
from pathlib import Path

from mnist_models.foundation.settings import Settings
from mnist_models.lineage.command import UNIMPORTANT, command
from running.command_line import parse_command_line


def test_the_command_asks_for_the_same_model() -> None:
    settings = Settings(profile="quick", data=Path("my images.npz"), images=None, cnn_epochs=7, reserve=0.25, minutes=3,
                        cluster="tcp://somewhere:8786", window=8)  # fmt: skip
    made = command(settings)
    assert "--cnn-epochs 7" in made and "--data 'my images.npz'" in made and "--images none" in made
    assert "somewhere" not in made and "--window 8" in made
    assert "--minutes" not in made  # another machine would find other budgets than those that are named
    again = parse_command_line(shlex.split(made)[2:])
    assert again.model_dump(exclude=UNIMPORTANT - {"profile"}) == settings.model_dump(exclude=UNIMPORTANT - {"profile"})
