"""How fast a data set is read, in how much memory, and what it costs to train on one that is larger than memory.

    python -m benchmarks.speed.ingest [--quick] [--json FILE] [--images 2000000] [--folder DIR]

Images are MNIST's, each with other noise in its lowest bits, so that no two are alike. Every reading is a process of
its own, from a warm page cache, and ends when the arrays are safe on the disk; its peak memory is what the kernel says.
The last part needs root and the memory controller of cgroups, version 1: a training of some thousand images, drawn from
the whole set in random order, runs in a group whose limit leaves it a page cache of a tenth of the set; beside it, the
same on images that stay in the cache. Without such a group, it is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Figure, Ratio, arguments, at_least, at_most, report

GROUPS = Path("/sys/fs/cgroup/memory")
PICTURES = 10_000
BATCH = 256
REPETITIONS = 3
NETWORKS: dict[str, dict[str, Any]] = {
    "fully_connected": {"hidden_layer_size": 256, "depth": 1},
    "cnn": {
        "num_conv_layers": 2, "num_filters_first_layer": 32, "num_filters_sub_layers": 64, "kernel_size": 3,
        "dense_layer_size": 64,
    },
}  # fmt: skip


def noisy_digits(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields images uint8 [k, 28, 28] and labels, no two images alike."""
    from mnist_models.data.preprocessing import EMBEDDED

    with np.load(EMBEDDED) as arrays:
        x, y = arrays["x_train"], arrays["y_train"]
    generator = np.random.default_rng(1)
    for first in range(0, count, 50_000):
        chosen = generator.integers(0, len(x), min(50_000, count - first))
        yield x[chosen] ^ generator.integers(0, 8, (len(chosen), 28, 28), dtype=np.uint8), y[chosen]


def write_idx(folder: Path, count: int) -> Path:
    """Writes IDX files, a fortieth of the images to test."""
    folder.mkdir()
    for name, size in (("train", count - count // 40), ("t10k", count // 40)):
        images, labels = (folder / f"{name}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
        with images.open("wb") as pixels, labels.open("wb") as numbers:
            pixels.write(struct.pack(">HBB3I", 0, 8, 3, size, 28, 28))
            numbers.write(struct.pack(">HBBI", 0, 8, 1, size))
            for x, y in noisy_digits(size):
                pixels.write(x.data)
                numbers.write(y.data)
    return folder


def write_arrays(path: Path, idx: Path) -> Path:
    """Writes the same as an .npz, not compressed."""
    arrays = {}
    for short, name in (("train", "train"), ("test", "t10k")):
        for axis, kind, header in (("x", "images-idx3", 16), ("y", "labels-idx1", 8)):
            content = np.memmap(idx / f"{name}-{kind}-ubyte", np.uint8, "r", offset=header)
            arrays[f"{axis}_{short}"] = content.reshape(-1, 28, 28) if axis == "x" else content
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def write_pictures(folder: Path, count: int) -> Path:
    """Writes PNG files, a folder for each class."""
    from PIL import Image

    for images, labels in noisy_digits(count):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number}.png")
    return folder


def read(path: Path, store: Path) -> dict[str, float]:
    """Reads a data set; in a process of its own."""
    from mnist_models.data.preprocessing import preprocess
    from mnist_models.foundation.store import Store

    start, cpu = time.perf_counter(), time.process_time()
    record = preprocess(Store(store), data=path, images=None, seed=1, key="benchmark")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "images": record.train + record.validation + record.test,
        "megabytes": sum(file.size for file in record.files.values()) / 1e6,
        "peak": status("VmHWM") / 1e6,  # not `getrusage`, which remembers the process that started this one
    }


def train(images: Path, network: str, count: int) -> dict[str, Any]:
    """Times training steps on few images and on all; in a process of its own. Microseconds an image."""
    from mnist_models.data.dataset import DatasetReference, Images
    from mnist_models.programs.kept import program_of
    from mnist_models.training.specification import TrainingSpec
    from tasks.workers.process import prepare_process

    prepare_process()
    x = np.load(images, mmap_mode="c")
    y = np.load(images.with_name("y_train.npy"), mmap_mode="c")
    spec = TrainingSpec(network=network, hyperparameters=NETWORKS[network], epochs=1, batch_size=BATCH)
    data = DatasetReference(
        key="", fingerprint="", source="", image_shape=(28, 28, 1), classes=10,
        train=len(x), validation=0, test=0, files={},
    )  # fmt: skip
    program = program_of(spec.shape(data))
    program.begin(1, spec.hyperparameters)
    generator = np.random.default_rng(1)

    def step_time(among: int) -> float:
        order = generator.permutation(among)[:count].astype(np.int32)
        rates = np.full(-(-len(order) // BATCH), 1e-3, np.float32)
        start = time.perf_counter()
        program.train(Images(x=x, y=y), order, rates, None, generator)
        return (time.perf_counter() - start) / len(order) * 1e6

    few = max(len(x) // 40, 1_000)
    step_time(few)  # compiles
    return {
        "small": [step_time(few) for _ in range(REPETITIONS)],
        "large": [step_time(len(x)) for _ in range(REPETITIONS)],
        "anonymous": status("RssAnon"),
    }


def status(name: str) -> int:
    """Returns what the kernel says of this process's memory, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


def child(*words: object, limit: int | None = None) -> dict[str, Any]:
    """Runs a part in a process of its own, in a group with a limit of memory where one is given."""
    command = [sys.executable, "-m", "benchmarks.speed.ingest", "--part", *map(str, words)]
    group = GROUPS / f"ingest_{os.getpid()}"
    if limit is not None:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
    try:
        enter = (lambda: (group / "cgroup.procs").write_text(str(os.getpid()))) if limit else None
        done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=enter)  # noqa: PLW1509
    finally:
        if limit is not None:
            group.rmdir()
    content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return content


def drop_from_cache(path: Path) -> None:
    """Takes a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def page_cache(stored: Path, network: str, count: int) -> tuple[list[Figure], list[Ratio]]:
    """Trains in a page cache of a tenth of the images."""
    free = child("train", stored, network, count)
    drop_from_cache(stored)
    limited = child("train", stored, network, count, limit=free["anonymous"] + stored.stat().st_size // 10)
    names = {"small": "from images that stay in the cache", "large": "from all, ten times the cache"}
    figures = [Figure(f"{network}: an image, {names[side]}", "µs", limited[side]) for side in names]
    small, large = (figure.median for figure in figures)
    return figures, [at_most(f"{network}: large to small, ten times the page cache", large / small, 1.3)]


def measure(options: argparse.Namespace, folder: Path) -> tuple[list[Figure], list[Ratio]]:
    """Writes the data sets, and reads each several times."""
    count = 4_000 if options.quick else options.images
    pictures = write_pictures(folder / "pictures", 200 if options.quick else PICTURES)
    idx = write_idx(folder / "idx", count)
    arrays = write_arrays(folder / "arrays.npz", idx)
    times = {
        path: [child("read", path, folder / "store") for _ in range(REPETITIONS)] for path in (pictures, idx, arrays)
    }
    rate = Figure("PNG a second and core", "1/s", [one["images"] / one["cpu_seconds"] for one in times[pictures]])
    speeds = [
        Figure(f"{name}, {count:,} images", "MB/s", [one["megabytes"] / one["seconds"] for one in times[path]])
        for name, path in (("IDX", idx), ("arrays", arrays))
    ]
    cores = [
        Figure(f"{name}, of a core's time", "MB/s", [one["megabytes"] / one["cpu_seconds"] for one in times[path]])
        for name, path in (("IDX", idx), ("arrays", arrays))
    ]
    peak = Figure("peak memory", "MB", [one["peak"] for path in (idx, arrays) for one in times[path]])
    ratios = [
        at_least("PNG a second and core", rate.median, 1, 2_000),
        *(at_least(f"MB/s, {figure.name}", figure.median, 1, 500) for figure in speeds),
        at_most(f"peak MB, {count:,} images", max(peak.values), 400),
    ]
    figures = [rate, *speeds, *cores, peak]
    if (GROUPS / "memory.limit_in_bytes").exists() and os.access(GROUPS, os.W_OK) and not options.quick:
        stored = max((folder / "store" / "datasets").glob("*/x_train.npy"), key=lambda path: path.stat().st_size)
        for network, images in (("fully_connected", 200_000), ("cnn", 50_000)):
            more, claims = page_cache(stored, network, images)
            figures += more
            ratios += claims
    return figures, ratios


def run_part(words: list[str]) -> None:
    """What a child does: prints one line of JSON."""
    path = Path(words[1])
    result = read(path, Path(words[2])) if words[0] == "read" else train(path, words[2], int(words[3]))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=2_000_000, help="of the large data sets")
    parser.add_argument("--folder", type=Path, help="where to write them: five times 784 bytes an image")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        run_part(chosen.part)
    else:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
            report("Reading data sets", *measure(chosen, Path(name)), chosen)
