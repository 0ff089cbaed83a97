"""What is asked of a model: which pictures, of which model, and in which form the answers come."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mnist_models.foundation.records import Record
from mnist_models.inference.answers import Format

Preparation = Literal["auto", "pen", "plain"]


class Request(Record):
    """Which pictures, of which model, and in which form the answers come.

    Attributes:
        files: Pictures, arrays, IDX, CSV and Parquet files, and folders of pictures or with a data set.
        store: Whose champion answers.
        model: A file `.tflite`, `.onnx` or `.keras` instead.
        champion: Its name, where the store has several.
        prepare: Pictures: as the model was trained, or as pen on paper or plain in any case.
        explain: A folder for what the network saw, and where it looked.
        output: A file that the answers are written to, `.csv` or `.json`.
    """

    files: tuple[Path, ...]
    store: Path = Path("artifacts")
    model: Path | None = None
    champion: str = "default"
    prepare: Preparation = "auto"
    explain: Path | None = None
    output: Path | None = None

    @property
    def output_format(self) -> Format:
        """The form that the output's name asks for."""
        return "csv" if self.output and self.output.suffix.lower() == ".csv" else "json"
