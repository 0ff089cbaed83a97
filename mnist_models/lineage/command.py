"""The command that makes a run again."""

from __future__ import annotations

import shlex
from typing import Any

from mnist_models.foundation.settings import PROFILES, Settings

GATE = {"champion", "promotion_margin", "promotion_slack"}
WHERE = {"store", "cache_size", "workers", "cluster", "cluster_resources", "refresh", "mlflow"}
"""Settings that say where a run is made, and how fast: another place makes the same model."""
UNIMPORTANT = GATE | WHERE | {"profile", "exports", "label_folds", "minutes"}
"""Settings that change no model, or only through others, as minutes do; of them the command names only the profile."""


def command(settings: Settings) -> str:
    """Returns the command that makes a run's model again, with every option that its profile does not set."""
    options = [f"--profile {settings.profile}"]
    options += [
        f"--{name.replace('_', '-')} {shlex.quote(_plain(value))}"
        for name, value in settings.model_dump(mode="json", exclude=UNIMPORTANT).items()
        if value != _default(settings, name)
    ]
    return " ".join(["python flows/full_pipeline.py", *options])


def _default(settings: Settings, name: str) -> Any:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return ...  # it depends on the machine: always named
    return PROFILES[settings.profile].get(name, field.default)


def _plain(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
