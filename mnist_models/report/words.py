"""Figures and names as people write them."""

from __future__ import annotations

from mnist_models.search.trials import Decision

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


def certainty(decision: Decision, started_from: str | None = None) -> str:
    """Says how sure it is that a study's winner is the best, and whether it takes the place of what it started from.

    Args:
        decision: The end of the study.
        started_from: The stage whose model it started from, if there is one.
    """
    share, rivals = f"{100 * decision.best_probability:.0f} of 100", len(decision.finalists)
    best = f"Trial {decision.winner} is the best of {rivals} finalists in {share} redrawn validation sets."
    if decision.incumbent is None:
        return best
    start = "what the search started from" + (f" ({title(started_from)})" if started_from else "")
    if decision.incumbent == decision.winner:
        return f"{best} It is {start}: nothing better was found."
    low, high = decision.interval
    gain = f"{decimal(decision.difference)} nats (95 % interval {decimal(low)} to {decimal(high)})"
    taken = (
        "and takes its place." if decision.replaced else "which is too little to be sure of: it does not replace it."
    )
    return f"{best} Its loss is lower than that of {start} by {gain}, {taken}"
