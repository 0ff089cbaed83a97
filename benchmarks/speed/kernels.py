"""What oneDNN's kernels are worth here: training steps with them, and as TensorFlow computes where it is not told.

    python -m benchmarks.speed.kernels [--repetitions N] [--quick] [--json FILE]

Both sides by turns, each time as a process of one thread that trains every network of the roofline in float32, and one
with batch normalisation besides, as most are that the searches train. TensorFlow takes oneDNN by itself only where the
processor has instructions for neural networks: the ratios are 1 there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks.comparison import Figure, Ratio, arguments, report
from benchmarks.speed.roofline import CNN, on_one_thread, reached, specs
from benchmarks.speed.studies import ROOT
from mnist_models.foundation.processor import KERNELS
from mnist_models.training.specification import TrainingSpec

NORMALIZED = {**CNN, "num_conv_layers": 2, "dense_layer_size": 64}
IMAGES, QUICK_IMAGES = 3_000, 256
SIDES = {"oneDNN": KERNELS, "as TensorFlow chooses": dict.fromkeys(KERNELS, "")}  # what is empty, it takes for unsaid


def measure_here(count: int) -> dict[str, float]:
    """Trains every network in this process and returns GFLOP/s."""
    dataset, images = on_one_thread(count)
    normalized = TrainingSpec(network="cnn", hyperparameters=NORMALIZED, batch_size=256, epochs=9)
    speeds: dict[str, float] = {}
    for name, spec in (specs() | {"CNN baseline, batch normalisation": normalized}).items():
        [speed], _ = reached(spec.model_copy(update={"precision": "float32"}), dataset, images, 1)
        speeds[name] = speed
    return speeds


def measure(side: str, count: int) -> dict[str, float]:
    """Measures one side as a process."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"} | SIDES[side]
    command = [sys.executable, "-m", "benchmarks.speed.kernels", "--here", str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    if options.here:
        sys.stdout.write(json.dumps(measure_here(options.here)) + "\n")
        return
    repetitions, count = (1, QUICK_IMAGES) if options.quick else (options.repetitions, IMAGES)
    turns = [{side: measure(side, count) for side in SIDES} for _ in range(repetitions)]
    figures, ratios = [], []
    for name in turns[0]["oneDNN"]:
        both = [Figure(f"{name}: {side}", "GFLOP/s", [turn[side][name] for turn in turns]) for side in SIDES]
        figures += both
        ratios.append(Ratio(f"{name}: {' / '.join(SIDES)}", both[0].median / both[1].median))
    report("Kernels, one thread, float32", figures, ratios, options)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="processes a side (default: 5)")
    parser.add_argument("--here", type=int, metavar="N", help=argparse.SUPPRESS)  # what a side's process is told
    main(parser.parse_args())
