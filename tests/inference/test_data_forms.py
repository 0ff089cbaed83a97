"""The forms of `--data` are answered as arrays of the same images are; what is not theirs is named, and refused."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.store import Store
from mnist_models.inference.answers import Answer
from mnist_models.inference.pictures import PictureError, encode, read_pictures
from mnist_models.inference.prediction import answer_request
from mnist_models.inference.request import Request
from tests.serving import ROOT
from tests.sources.forms import (
    Images,
    idx,
    write_arrays,
    write_csv,
    write_idx,
    write_lists,
    write_medmnist,
    write_parquet,
)
from tests.sources.test_damage import damaged

COUNT = 12
DAMAGES = 200
SHARDS = [f"test-0000{shard}-of-00002.parquet[{row}]" for shard in (0, 1) for row in range(COUNT // 2)]
FORMS: dict[str, tuple[Callable[[Images, Path], Path], list[str]]] = {
    "arrays": (write_arrays, [f".npz[{row}]" for row in range(COUNT)]),
    "medmnist": (write_medmnist, [f".npz[{row}]" for row in range(COUNT)]),
    "idx": (write_idx, [f"t10k-images-idx3-ubyte[{row}]" for row in range(COUNT)]),
    "idx.gz": (
        lambda data, path: write_idx(data, path, packed=True),
        [f"t10k-images-idx3-ubyte.gz[{row}]" for row in range(COUNT)],
    ),
    "csv": (write_csv, [f"test.csv[{row}]" for row in range(COUNT)]),
    "parquet": (write_parquet, SHARDS),
    "lists": (write_lists, [f"test.parquet[{row}]" for row in range(COUNT)]),
}


@pytest.fixture(scope="module")
def digits(store: Store, dataset: DatasetReference) -> Images:
    """Test images to be asked for, and others that train."""
    test, train = read_split(store, dataset, "test"), read_split(store, dataset, "train")
    return Images(
        {
            part: (np.array(split.x[:COUNT]), [str(label) for label in split.y[:COUNT]])
            for part, split in (("train", train), ("test", test))
        }
    )


@pytest.fixture(scope="module")
def expected(champion: Store, digits: Images, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What is answered to the test images as .npy."""
    path = tmp_path_factory.mktemp("arrays") / "digits.npy"
    np.save(path, digits.parts["test"][0])
    return ask(champion, path)


def ask(champion: Store, *files: Path) -> list[Answer]:
    return list(answer_request(Request(files=files, store=champion.root)).answers)


def said(answers: list[Answer]) -> list[tuple[str, float, str]]:
    return [(one.label, one.probability, one.runner_up) for one in answers]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_answered_as_an_array(
    champion: Store, digits: Images, expected: list[Answer], tmp_path: Path, form: str
) -> None:
    write, names = FORMS[form]
    path = write(digits, tmp_path / "data")
    answers = ask(champion, path)
    assert said(answers) == said(expected)
    assert [one.file.removeprefix(f"{tmp_path}/data").removeprefix("/") for one in answers] == names
    assert len({one.label for one in answers}) > 3


def test_files_are_answered_without_labels_in_the_order_given(
    champion: Store, digits: Images, expected: list[Answer], tmp_path: Path
) -> None:
    images = digits.parts["test"][0]
    pixels = [f"pixel{number}" for number in range(784)]
    lines = [", ".join(pixels), *(",".join(map(str, image.ravel())) for image in images)]
    (tmp_path / "kaggle.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "own.idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[..., 0])))
    flat = pa.table({"image": pa.array(images.reshape(COUNT, -1).tolist())})
    pyarrow.parquet.write_table(flat, tmp_path / "flat.parquet", row_group_size=5)
    files = [tmp_path / name for name in ("own.idx3-ubyte.gz", "kaggle.csv", "flat.parquet")]
    answers = ask(champion, *files)
    assert [one.file for one in answers] == [f"{file}[{row}]" for file in files for row in range(COUNT)]
    assert said(answers) == 3 * said(expected)


@pytest.mark.parametrize("form", ["idx", "csv", "parquet"])
def test_a_folder_without_test_images_is_asked_for_its_training_images(
    digits: Images, tmp_path: Path, form: str
) -> None:
    write, _ = FORMS[form]
    path = write(Images({"train": digits.parts["train"]}), tmp_path / "data")
    pixels = np.stack([picture.pixels for picture in read_pictures([path])])
    assert np.array_equal(pixels, digits.parts["train"][0][..., 0])


def test_a_folder_with_pictures_is_asked_for_these_alone(digits: Images, tmp_path: Path) -> None:
    path = write_csv(digits, tmp_path / "data")
    write_parquet(digits, tmp_path / "parquet")
    [first, *_] = read_pictures([tmp_path / "parquet"])
    (path / "one.png").write_bytes(encode(first.pixels[..., None]))
    assert [picture.name for picture in read_pictures([path])] == [str(path / "one.png")]


BAD: dict[str, tuple[str, bytes, str]] = {
    "no csv": ("x.csv", b"hello", "header line as label,pixel0"),
    "a note": ("x.csv", b"no picture, but a longer note", "expected a column for each pixel"),
    "no square": ("x.csv", b"label,a,b,c,d,e\n1,2,3,4,5,6\n", "each pixel of a square image.*5 columns"),
    "no pixel": ("x.csv", b"a,b,c,d\n1,2,3,256\n", "pixels from 0 to 255"),
    "no rows": ("x.csv", b"a,b,c,d\n", "at least one image. Received: none"),
    "no parquet": ("x.parquet", b"hello", "expected a Parquet file"),
    "no idx": ("x-idx3-ubyte", b"no picture, but a longer note", "expected an IDX file"),
    "labels": ("train-labels-idx1-ubyte", idx(np.zeros(9, np.uint8)), "in 3 dimensions.*begins with 00000801"),
    "cut idx": ("x-images-idx3-ubyte", idx(np.zeros((2, 3, 3), np.uint8))[:-1], "expected 34 bytes.*33"),
    "no images": ("x-images-idx3-ubyte", idx(np.zeros((0, 3, 3), np.uint8)), "at least one image. Received: none"),
    "cut gzip": ("x-idx3-ubyte.gz", gzip.compress(idx(np.ones((2, 3, 3), np.uint8)))[:-9], "whole IDX file"),
    "bomb": ("x-idx3-ubyte.gz", gzip.compress(idx(np.zeros((9, 1, 1), np.uint8))[:4] + b"\x7f" * 12), "pixels a side|"
             "times their stored size"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=rf"(?s){name}.*{message}"):
        list(read_pictures([tmp_path / name]))


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x-images-idx3-ubyte.gz"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureError, match=f"{name}: expected a file.*No such file"):
        list(read_pictures([tmp_path / name]))


def test_a_bad_picture_in_parquet_is_named_by_its_row(digits: Images, tmp_path: Path) -> None:
    path = write_parquet(digits, tmp_path / "data") / "test-00001-of-00002.parquet"
    pictures = pyarrow.parquet.read_table(path)["image"].to_pylist()
    pictures[4]["bytes"] = b"hello"
    pyarrow.parquet.write_table(pa.table({"image": pa.array(pictures)}), path)
    with pytest.raises(PictureError, match=r"test-00001-of-00002\.parquet\[4\]: expected a picture"):
        list(read_pictures([tmp_path / "data"]))


@pytest.mark.parametrize("form", ["idx", "idx.gz", "csv", "parquet", "lists"])
def test_a_damaged_file_is_refused_or_read(digits: Images, tmp_path: Path, form: str) -> None:
    small = Images({"test": (digits.parts["test"][0][:3, 8:20, 8:20], ["0", "1", "2"])})
    write, names = FORMS[form]
    file = write(small, tmp_path / "data") / names[0].partition("[")[0]
    content, generator, refused = file.read_bytes(), np.random.default_rng(1), 0
    for _ in range(DAMAGES):
        file.write_bytes(damaged(content, generator))
        try:
            assert all(picture.pixels.dtype == np.uint8 for picture in read_pictures([file]))
        except PictureError as error:
            refused += 1
            assert str(error).startswith(str(file))
            assert "Received" in str(error)
    assert refused > DAMAGES / 10


def test_a_folder_with_two_sets_is_refused(digits: Images, tmp_path: Path) -> None:
    path = write_idx(digits, tmp_path / "data")
    (path / "emnist-letters-test-images-idx3-ubyte").write_bytes(idx(digits.parts["test"][0][..., 0]))
    with pytest.raises(PictureError, match=r"data: expected one t10k-images.*emnist-letters-test"):
        list(read_pictures([path]))


def test_what_a_form_does_not_need_is_not_imported(digits: Images, tmp_path: Path) -> None:
    path = write_idx(digits, tmp_path / "data")
    code = (
        "import sys, pathlib; from mnist_models.inference.pictures import read_pictures;"
        "print(len(list(read_pictures([pathlib.Path(sys.argv[1])]))), {'pyarrow', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{COUNT} set()\n"
