"""A request from the command line, and its answers on standard output; nothing else is written there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mnist_models.inference.answers import Answers, Format, render
from mnist_models.inference.request import Request

FORMATS = ("table", "csv", "json")
OUTPUTS = (".csv", ".json")
FILES = "pictures, arrays (.npy, .npz), IDX, CSV or Parquet files, and folders of pictures or with a data set"


def read_command_line(description: str | None) -> tuple[Request, Format]:
    """Reads a request and the form of its answers; exits with status 2 where an option is wrong."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    store = Path(os.environ.get("MNIST_STORE", "artifacts"))
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=FILES)
    parser.add_argument("--format", choices=FORMATS, default="table", help="of the answers (default: table)")
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="a .tflite, .onnx or .keras file instead of the champion"
    )
    parser.add_argument("--store", type=Path, metavar="DIR", default=store, help=f"whose champion (default: {store})")
    parser.add_argument("--champion", metavar="NAME", default="default", help="which, where the store has several")
    parser.add_argument(
        "--prepare", choices=("auto", "pen", "plain"), default="auto", help="as pen on paper or plain, in any case"
    )
    parser.add_argument("--explain", type=Path, metavar="DIR", help="write what the network saw, and where it looked")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the answers to this .csv or .json file, too")
    options = vars(parser.parse_args())
    form: Format = options.pop("format")
    if options["output"] and options["output"].suffix.lower() not in OUTPUTS:
        parser.error(f"expected a .csv or .json file for --output; received {options['output']}")
    return Request(**{**options, "files": tuple(options["files"])}), form


def write_answers(ask: Callable[[Request], Answers], request: Request, form: Format) -> None:
    """Asks, and writes the answers to standard output; exits with status 2 where a file or the model is not usable.

    Args:
        ask: Answers a request.
        request: What is asked.
        form: Of what is written.
    """
    from mnist_models.foundation.files import DamagedFileError

    try:
        answers = ask(request)
    except (ValueError, OSError, DamagedFileError) as error:
        sys.stderr.write(f"{Path(sys.argv[0]).name}: {error}\n")
        raise SystemExit(2) from None
    sys.stdout.write(render(answers.answers, form))
