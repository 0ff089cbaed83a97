"""The champion's record: one model, what it was made from, and what is known of it."""

from __future__ import annotations

from typing import Literal

from mnist_models.champion.paired import Paired
from mnist_models.data.pen import Pen
from mnist_models.export.form import ExportedForm
from mnist_models.foundation.records import FileReference, Record, SealedRecord
from mnist_models.foundation.settings import Form

Kind = Literal["promoted", "refused", "rolled back"]


class Figures(Record):
    """What was measured of a model when it was judged.

    Attributes:
        images: Test images that the figures of this record rest on.
        accuracy: Share of them that the model gets right.
        wilson_95: The accuracy's 95 % interval.
        loss: Mean cross-entropy in nats.
        calibration_error: Expected calibration error, a share: how far confidence and accuracy lie apart.
        milliseconds: Median time for one image with plain Keras, on one thread.
        size: Of `model.keras`, in bytes.
    """

    images: int
    accuracy: float
    wilson_95: tuple[float, float]
    loss: float
    calibration_error: float
    milliseconds: float
    size: int


class Champion(SealedRecord):
    """A model that was promoted.

    Attributes:
        model: `model.keras`: float32 [n, height, width, channels] in [0, 1] → float32 [n, classes], probabilities.
        weights: SHA-256 of the model's weights, which tells two models apart.
        exports: The other forms, by name; only those that were asked for.
        card: The model card, `README.md`; None where there is none.
        classes: Number of classes.
        class_names: One per class; empty where classes are named by their numbers.
        image_shape: (height, width, channels).
        pen: The form of the handwriting in that data set, so that pictures are brought to it; None for other images.
        dataset_fingerprint: Of the data set that it was trained on.
        source: File name of that data set.
        run: Name of the run that made it.
        stage: The stage that validation chose in it.
        figures: What was measured on the test images that reports may show.
        anchor: The last champion that was shown to be better than the one before it, where that is not this one: who
            comes next must not be worse than that by more than the margin either, so that many small steps down do not
            add up.
        promoted_at: When, ISO 8601 in UTC.
        previous: Number in the history of the champion before it; None for the first.
    """

    model: FileReference
    weights: str
    exports: dict[Form, ExportedForm] = {}
    card: FileReference | None = None
    classes: int
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int]
    pen: Pen | None = None
    dataset_fingerprint: str
    source: str
    run: str
    stage: str
    figures: Figures
    anchor: FileReference | None = None
    promoted_at: str
    previous: int | None = None


class Event(SealedRecord):
    """One line of the history.

    Attributes:
        number: From 1.
        kind: What happened to the challenger, or to the champion.
        at: When, ISO 8601 in UTC.
        reason: In words.
        champion: Who is champion from here on; None where nobody is yet.
        challenger: Weights of the model that was promoted, refused or taken back.
        run: Name of the run that the challenger comes from.
        comparison: With the champion of that time, on the gate's images; None where there was none.
    """

    number: int
    kind: Kind
    at: str
    reason: str
    champion: Champion | None
    challenger: str
    run: str
    comparison: Paired | None = None
