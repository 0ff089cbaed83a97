"""CSV, Parquet and IDX: what is taken, and what is refused with which words."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.data.preprocessing import open_data, preprocess
from mnist_models.foundation.store import Store
from mnist_models.sources.source import DataError, Options
from tests.sources.forms import Images, idx, png, write_csv, write_idx, write_lists, write_parquet


def small(count: int = 12) -> Images:
    generator = np.random.default_rng(0)
    parts = {}
    for part, size in (("train", count), ("test", 4)):
        images = generator.integers(0, 256, (size, 3, 3, 1), dtype=np.uint8)
        parts[part] = (images, [str(number % 2) for number in range(size)])
    return Images(parts)


def ingest(path: Path, store: Path, **options: object) -> DatasetReference:
    return preprocess(
        Store(store),
        data=path,
        images=None,
        seed=1,
        key="dataset",
        options=Options(**options),  # type: ignore[arg-type]
    )


def lines(*rows: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "train.csv").write_text("\n".join(rows) + "\n")
        return folder

    return write


HEADER, GOOD = "label,pixel0,pixel1,pixel2,pixel3", [f"{number % 2},1,2,3,{number}" for number in range(12)]
BAD_CSV: dict[str, tuple[Callable[[Path], Path], str]] = {
    "too large": (lines(HEADER, *GOOD, "0,1,2,3,256"), "pixels from 0 to 255. Received: .*256"),
    "no number": (lines(HEADER, *GOOD, "0,1,2,3,x"), "pixels from 0 to 255. Received: .*'x'"),
    "too few columns": (lines(HEADER, *GOOD, "0,1,2,3"), "a line of 5 values.*Received: .*4"),
    "empty pixel": (lines(HEADER, *GOOD, "0,1,2,3,"), "Received: an empty value in column 'pixel3'"),
    "empty label": (lines(HEADER, *GOOD, ",1,2,3,4"), "a value for each image in column 'label'"),
    "no square": (lines(HEADER + ",pixel4", "0,1,2,3,4,5"), "square image.*Received: 5 columns besides"),
    "no label": (lines("a,b,c,d", "1,2,3,4"), "expected a column 'label'. Received: a, b, c, d"),
    "a name twice": (lines("label,a,a,b,c", "0,1,2,3,4"), "expected a header line"),
    "binary": (lambda folder: (folder / "train.csv").write_bytes(b"\xff\xfe\x00") and folder, "a table in UTF-8"),
    "empty": (lambda folder: (folder / "train.csv").touch() or folder, "expected a header line"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv_is_refused(tmp_path: Path, case: str) -> None:
    write, message = BAD_CSV[case]
    with pytest.raises(DataError, match=rf"(?s)train\.csv: .*{message}"):
        ingest(write(tmp_path), tmp_path / "store")


def test_a_csv_of_kaggle_has_labels_to_train_and_none_to_test(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("\n".join([HEADER, *(f"{n % 2},1,2,3,{n}" for n in range(36))]) + "\n")
    (tmp_path / "test.csv").write_text("\n".join([HEADER[6:], "9,9,9,1", "8,8,8,2", "9,9,9,0"]) + "\n")
    record = ingest(tmp_path, tmp_path / "store")
    assert (record.train, record.validation, record.test, record.unlabelled) == (25, 5, 6, 3)
    unlabelled = read_split(Store(tmp_path / "store"), record, "unlabelled")
    assert unlabelled.x[:, 1, 1, 0].tolist() == [1, 2, 0]
    assert unlabelled.y.tolist() == [-1, -1, -1]


def test_groups_of_a_column_are_never_on_both_sides(tmp_path: Path) -> None:
    rows = [f"{n % 2},writer {n // 6},{n // 6},0,0,{n}" for n in range(120)]
    (tmp_path / "own.csv").write_text("\n".join(["label,who,pixel0,pixel1,pixel2,pixel3", *rows]) + "\n")
    record = ingest(tmp_path / "own.csv", tmp_path / "store", group_column="who")
    store = Store(tmp_path / "store")
    writers = [set(read_split(store, record, split).x[:, 0, 0, 0]) for split in ("train", "validation", "test")]
    assert sorted(writer for some in writers for writer in some) == list(range(20))


def test_a_missing_group_column_is_refused(tmp_path: Path) -> None:
    for write, name in ((write_csv, "csv"), (write_parquet, "parquet")):
        with pytest.raises(DataError, match="expected a column 'who', the --group-column. Received: none"):
            ingest(write(small(), tmp_path / name), tmp_path / "store", group_column="who")


def table(folder: Path, **columns: object) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), folder / "own.parquet")
    return folder / "own.parquet"


LABELS = [number % 2 for number in range(12)]
PICTURES = [{"bytes": png(np.full((2, 2, 1), number, np.uint8)), "path": f"{number}.png"} for number in range(12)]
BAD_PARQUET: dict[str, tuple[dict[str, object], str]] = {
    "no image": ({"label": LABELS}, "expected a column image or img. Received: label"),
    "no label": ({"image": PICTURES}, "expected a column label or labels. Received: none"),
    "words for images": ({"image": ["x"] * 12, "label": LABELS}, "a struct with bytes, or a list of pixels.*string"),
    "only a path": (
        {"image": [{"bytes": None, "path": "/etc/passwd"}, *PICTURES[1:]], "label": LABELS},
        "--bad-images 1 .*own.parquet, image 0: it is no picture",
    ),
    "ragged": ({"image": [[1, 2, 3, 4]] * 11 + [[1]], "label": LABELS}, "images of one shape"),
    "too large": ({"image": [[1, 2, 3, 256]] * 12, "label": LABELS}, "pixels from 0 to 255. Received: .*256"),
    "no square": ({"image": [[1, 2]] * 12, "label": LABELS}, "expected lists of the pixels of an image"),
    "an empty label": ({"image": PICTURES, "label": [None, *LABELS[1:]]}, "a value for each image in column 'label'"),
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_bad_parquet_is_refused(tmp_path: Path, case: str) -> None:
    columns, message = BAD_PARQUET[case]
    with pytest.raises(DataError, match=f"(?s){message}"):
        ingest(table(tmp_path, **columns), tmp_path / "store")


def test_a_label_that_the_hub_has_no_name_for_is_refused(tmp_path: Path) -> None:
    names = json.dumps({"info": {"features": {"label": {"names": ["cat"]}}}})
    content = pa.table({"image": PICTURES, "label": LABELS}).replace_schema_metadata({"huggingface": names})
    pyarrow.parquet.write_table(content, tmp_path / "own.parquet")
    with pytest.raises(DataError, match="expected labels from 0 to 0. Received: 1"):
        ingest(tmp_path / "own.parquet", tmp_path / "store")


def test_parquet_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2**26 + 2**20, np.uint8)), 2**20)
    content = pa.table({"image": pixels, "label": list(range(2**6 + 1))})
    pyarrow.parquet.write_table(content, tmp_path / "own.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(DataError, match="at most 200 times their stored size"):
        open_data(tmp_path / "own.parquet")


def spoiled(folder: Path, name: str, content: bytes | None) -> Path:
    path = write_idx(small(), folder / "idx")
    (path / name).write_bytes(content) if content is not None else (path / name).unlink()
    return path


TRAIN, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
IMAGES = idx(np.zeros((12, 3, 3), np.uint8))
BAD_IDX: dict[str, tuple[str, bytes | None, str]] = {
    "missing": (TRAIN_LABELS, None, "expected one train-labels-idx1-ubyte, with .gz or without. Received: none"),
    "twice": (TRAIN + ".gz", gzip.compress(IMAGES), "expected one train-images-idx3-ubyte.*Received: .*ubyte, train"),
    "cut": (TRAIN, IMAGES[:-1], "expected 124 bytes, as its header says. Received: 123"),
    "too long": (TRAIN, IMAGES + b"1", "expected 124 bytes, as its header says. Received: 125"),
    "no header": (TRAIN, b"\0", "it is cut short"),
    "floats": (TRAIN, struct.pack(">HBB3I", 0, 13, 3, 12, 3, 3) + bytes(432), "begins with 00000803.*00000d03"),
    "huge": (TRAIN, struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "as its header says. Received: 16"),
    "wide": (TRAIN, struct.pack(">HBB3I", 0, 8, 3, 12, 1, 2_000) + bytes(24_000), "1 to 1024 pixels a side"),
    "another number": (TRAIN_LABELS, idx(np.zeros(11, np.uint8)), "as many labels as images. Received: 12 images, 11"),
    "another shape": ("t10k-images-idx3-ubyte", idx(np.zeros((4, 2, 3), np.uint8)), r"\(3, 3, 1\). Received: \(2,"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_idx_is_refused(tmp_path: Path, case: str) -> None:
    name, content, message = BAD_IDX[case]
    with pytest.raises(DataError, match=message):
        ingest(spoiled(tmp_path, name, content), tmp_path / "store")


def test_packed_idx_is_read_and_its_bombs_are_refused(tmp_path: Path) -> None:
    plain = ingest(write_idx(small(), tmp_path / "plain"), tmp_path / "store")
    packed = ingest(write_idx(small(), tmp_path / "packed", packed=True), tmp_path / "store")
    assert plain.fingerprint == packed.fingerprint
    header = struct.pack(">HBB3I", 0, 8, 3, 2**20, 32, 32)
    (tmp_path / "packed" / f"{TRAIN}.gz").write_bytes(gzip.compress(header + bytes(2**20)))
    with pytest.raises(DataError, match="at most 200 times their stored size"):
        open_data(tmp_path / "packed")


def test_transposed_images_are_turned(tmp_path: Path) -> None:
    turned = Images({part: (images.swapaxes(1, 2), labels) for part, (images, labels) in small().parts.items()})
    expected = ingest(write_idx(small(), tmp_path / "plain"), tmp_path / "store").fingerprint
    for write in (write_idx, write_csv, write_lists):
        path = write(turned, tmp_path / write.__name__)
        assert ingest(path, tmp_path / "store", transposed=True).fingerprint == expected


def test_what_has_no_known_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.xyz").touch()
    with pytest.raises(DataError, match="data.xyz: expected an .npz file, a .csv or .parquet file, or a folder"):
        open_data(tmp_path / "data.xyz")
