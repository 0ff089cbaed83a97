"""Stage 1: preprocessing. `python flows/preprocessing.py` runs it alone."""

from __future__ import annotations

import sys

from prefect import flow

from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.settings import Settings
from running.terminal import run_alone
from tasks.dataset import preprocess_dataset
from tasks.inspection import look_at
from tasks.stopping import stoppable


@flow(name="preprocessing", flow_run_name="preprocessing {settings.profile}")
@stoppable
def preprocessing(settings: Settings) -> DatasetReference:
    """Reads, checks and splits the data set, 50,000, 10,000 and 10,000 images of MNIST, and takes a look at it."""
    return look_at(preprocess_dataset(settings), settings)


def tell(dataset: DatasetReference) -> None:
    """Says on standard output which data set it is, in whatever form it came."""
    sys.stdout.write(f"fingerprint {dataset.fingerprint}\n")


if __name__ == "__main__":
    run_alone(preprocessing, tell=tell)
