"""What a search tries out."""

from __future__ import annotations

Values = dict[str, int | float | str]
"""A combination of hyperparameters, by name."""
