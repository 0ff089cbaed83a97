"""What `predict` makes of digits from elsewhere: scikit-learn's 1,797, as pictures of pen on paper.

`python -m benchmarks.accuracy.foreign_digits MODEL` takes a model's file. The digits were written by other hands, in
another country, and scanned at 8 × 8 pixels (Alpaydin & Kaynak 1998). Each becomes a PNG, dark on light: 24 to 160
pixels, somewhere on a sheet of up to three times its size, with paper and ink of some grey. Takes a minute.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.comparison import Figure, arguments, report
from mnist_models.inference.answers import Answer
from mnist_models.inference.model import MNIST, MNIST_SHAPE
from mnist_models.inference.pictures import decode
from mnist_models.inference.prediction import answer_request
from mnist_models.inference.preparation import prepare
from mnist_models.inference.request import Request
from mnist_models.judging.scores import wilson_interval
from mnist_models.report.drawing import INK, MUTED, render

SEED = 1
COLUMNS, ROWS = 12, 4  # of the plot of the misses


def main() -> None:
    """Writes the pictures, asks, and counts."""
    parser = arguments(__doc__)
    parser.add_argument("model", type=Path, help="a .tflite, .onnx or .keras file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the misses that it is surest of")
    options = parser.parse_args()
    digits = load_digits()
    count = 100 if options.quick else len(digits.images)
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(SEED)
        for number, image in enumerate(digits.images[:count]):
            Image.fromarray(on_paper(image, rng)).save(Path(folder) / f"{number:04d}.png")
        answers = answer_request(Request(files=(Path(folder),), model=options.model)).answers
        truth = [str(label) for label in digits.target[:count]]
        misses = [(one, label) for one, label in zip(answers, truth, strict=True) if one.label != label]
        if options.plot:
            options.plot.write_bytes(draw(sorted(misses, key=lambda miss: -miss[0].probability)))
    right = count - len(misses)
    low, high = wilson_interval(right, count)
    second = sum(one.runner_up == label for one, label in misses)
    figures = [
        Figure("accuracy", "%", [100 * right / count]),
        Figure("95 % interval, from", "%", [100 * low]),
        Figure("95 % interval, to", "%", [100 * high]),
        Figure("misses", "pictures", [len(misses)]),
        Figure("misses whose runner-up is right", "pictures", [second]),
        Figure("misses of more than 90 % probability", "pictures", [sum(one.probability > 0.9 for one, _ in misses)]),
    ]
    report(f"{count:,} digits of other hands", figures, [], options)


def on_paper(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a digit, float64 [8, 8] in 0..16, dark on light somewhere on a sheet, uint8 [height, width]."""
    side = int(rng.integers(24, 160))
    size = (side, int(side * rng.uniform(0.9, 1.1)))
    ink = Image.fromarray((image * 255 / 16).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    width, height = (int(length * rng.uniform(1.2, 3)) for length in ink.size)
    paper, pen = int(rng.integers(215, 256)), int(rng.integers(0, 90))
    sheet = np.full((height, width), float(paper))
    top, left = rng.integers(0, height - ink.height + 1), rng.integers(0, width - ink.width + 1)
    sheet[top : top + ink.height, left : left + ink.width] -= (paper - pen) * np.asarray(ink, np.float64) / 255
    return sheet.clip(0, 255).astype(np.uint8)


def draw(misses: list[tuple[Answer, str]]) -> bytes:
    """Draws misses as the sheet and as what the network saw, with both labels."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(10, 0.35 + 1.02 * ROWS))
    for place, (one, label) in enumerate(misses[: COLUMNS * ROWS // 2]):
        pixels = decode(Path(one.file).read_bytes(), one.file)
        seen = prepare(pixels, one.file, MNIST_SHAPE, MNIST)[..., 0]
        for column, shown in enumerate((pixels, seen)):
            axes = drawing.add_subplot(ROWS, COLUMNS, 2 * place + column + 1)
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        axes.set_title(f"{one.label}, is {label}", size=8, color=INK, loc="left")
    drawing.suptitle("Each sheet, and what the network saw of it", size=9, color=MUTED)
    return render(drawing)


if __name__ == "__main__":
    main()
