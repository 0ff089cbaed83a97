"""Figures and names as people write them."""

from __future__ import annotations

NONE = "–"
PROPER_NAMES = {"cnn": "CNN", "hyperband": "Hyperband", "bayesian": "Bayesian"}
NARROW_SPACE = "\u202f"


def title(name: str) -> str:
    """Returns a stage's name as people write it: "cnn_learning_rate" is "CNN learning rate"."""
    words = " ".join(PROPER_NAMES.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def percent(share: float | None, digits: int = 2) -> str:
    """Returns a share as a percentage, or a dash for None."""
    return NONE if share is None else f"{100 * share:.{digits}f}{NARROW_SPACE}%"


def decimal(value: float | None, digits: int = 4) -> str:
    """Returns a number with so many decimals, or a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Returns a time in the two units that matter: "4.2 s", "3 min 20 s", "1 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f}{NARROW_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}{NARROW_SPACE}s"
    if minutes < 60:
        return f"{minutes}{NARROW_SPACE}min {rest:02d}{NARROW_SPACE}s"
    return f"{minutes // 60}{NARROW_SPACE}h {minutes % 60:02d}{NARROW_SPACE}min"
