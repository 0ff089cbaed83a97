"""The gate: what a challenger must show to become champion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mnist_models.champion.paired import Paired
from mnist_models.champion.record import Champion, Event, Figures
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.records import Record, SealedRecord

HARMLESS_MILLISECONDS = 3.0  # below these, being a few times worse is no reason to refuse
HARMLESS_BYTES = 10_000_000
HARMLESS_CALIBRATION_ERROR = 0.01


class Rules(Record):
    """What the gate asks for.

    Attributes:
        margin: By how much (a share) a challenger's accuracy may be below the champion's at the most, as far as the
            95 % interval of the difference can tell.
        slack: So many times as slow, as large and as badly calibrated as the champion it may be.
    """

    margin: float
    slack: float


class Decision(SealedRecord):
    """What the gate decided.

    Attributes:
        verdict: Whether the challenger becomes champion.
        reason: In words.
        challenger: Its figures on the gate's images.
        champion: The champion's, on the same; None where it could not be compared.
        with_champion: Both, image by image.
        with_anchor: The challenger and the champion's anchor, where that is another model.
        published: The challenger's figures on the images that reports may show.
    """

    verdict: Literal["promoted", "refused"]
    reason: str
    challenger: Figures
    champion: Figures | None = None
    with_champion: Paired | None = None
    with_anchor: Paired | None = None
    published: Figures


def mismatch(dataset: DatasetReference, champion: Champion) -> str | None:
    """Returns why a model of a data set must not be compared with a champion, or None where it may be.

    Args:
        dataset: What the challenger was trained on.
        champion: With whom it would be compared.
    """
    for what, mine, other in (
        ("classes", _names(dataset.class_names, dataset.classes), _names(champion.class_names, champion.classes)),
        ("images of", dataset.image_shape, champion.image_shape),
        ("images from", dataset.source, champion.source),
    ):
        if mine != other:
            return (
                f"the champion has {what} {_plain(other)}, this model {_plain(mine)}: they are never compared; "
                "--champion NAME keeps a champion of its own, and so does another --store"
            )
    return None


def unwanted(event: Event) -> str:
    """The reason to refuse a model that somebody took back."""
    return f"it was taken back on {event.at[:10]}; rollback --to its number in the history makes it champion again"


def objections(challenger: Figures, champion: Figures, comparisons: Sequence[Paired], rules: Rules) -> tuple[str, ...]:
    """Returns all reasons to refuse a challenger; none where it is to be champion.

    Args:
        challenger: Its figures on the gate's images.
        champion: The champion's, on the same.
        comparisons: The challenger with the champion, and with its anchor where that is another model.
        rules: What is asked for.
    """
    worse = [_accuracy_objection(paired, rules.margin) for paired in comparisons if not shown(paired, rules.margin)]
    costs = (
        ("slow", challenger.milliseconds, champion.milliseconds, HARMLESS_MILLISECONDS),
        ("large", challenger.size, champion.size, HARMLESS_BYTES),
        ("badly calibrated", challenger.calibration_error, champion.calibration_error, HARMLESS_CALIBRATION_ERROR),
    )
    dearer = [
        f"it is {mine / other:.1f} times as {word} as the champion, where {rules.slack:g} times are allowed"
        for word, mine, other, harmless in costs
        if mine > max(harmless, rules.slack * other)
    ]
    return (*worse, *dearer)


def shown(paired: Paired, margin: float) -> bool:
    """Whether a comparison shows that the challenger is not worse by more than a margin (a share)."""
    return paired.interval_95[0] > -margin


def describe(paired: Paired) -> str:
    """A comparison in words."""
    low, high = (f"{100 * end:+.3f}" for end in paired.interval_95)
    return (
        f"{100 * paired.difference:+.3f} points (95 % interval {low} to {high}; {paired.only_challenger} images to "
        f"{paired.only_champion} of {paired.images:,}, McNemar p = {paired.p_value:.2g})"
    )


def _accuracy_objection(paired: Paired, margin: float) -> str:
    return f"its accuracy is not shown to be within {100 * margin:g} points of the champion's: {describe(paired)}"


def _names(class_names: tuple[str, ...], classes: int) -> tuple[str, ...]:
    return class_names or tuple(str(label) for label in range(classes))


def _plain(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    if len(value) > 12:
        return f"{value[0]} … {value[-1]} ({len(value)})"
    return " × ".join(map(str, value)) if isinstance(value[0], int) else ", ".join(value)
