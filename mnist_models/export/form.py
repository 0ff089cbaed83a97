"""The record of one form of a model: its files, how well it agrees with the model, and what it costs."""

from __future__ import annotations

from mnist_models.foundation.records import FileReference, SealedRecord
from mnist_models.foundation.settings import Form


class ExportedForm(SealedRecord):
    """A model in one form.

    Attributes:
        form: Which.
        path: What a loader is given, relative to the store's root: a file, or the folder of a SavedModel.
        files: All its files.
        images: Test images on which it was compared with the `.keras` file: all that reports may show.
        labels_equal: On how many of them both give the same label.
        largest_difference: Between two probabilities of the same class, over all images.
        accuracy: Its own, on these images.
        wilson_95: The accuracy's 95 % interval.
        milliseconds: Median time for one image, on one thread.
    """

    form: Form
    path: str
    files: tuple[FileReference, ...]
    images: int
    labels_equal: int
    largest_difference: float
    accuracy: float
    wilson_95: tuple[float, float]
    milliseconds: float

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)
