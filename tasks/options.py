"""How a data set is read, as the user's settings say."""

from __future__ import annotations

from dataclasses import fields

from mnist_models.foundation.settings import Settings
from mnist_models.sources.source import Options


def options_of(settings: Settings) -> Options:
    """Returns what the settings say of reading a source."""
    return Options(**{field.name: getattr(settings, field.name) for field in fields(Options)})
