"""A worker process from within: what it prepares before its first function, and when it ends."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait

from mnist_models.foundation.processor import choose_kernels

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
}
UNUSED = ("matplotlib", "scipy", "sklearn")  # Keras and TensorFlow import them where they are: 100 MB and a second

_importing = threading.Lock()


def prepare_process() -> None:
    """Makes a new process a worker: one thread, TensorFlow imported, an end when its flow ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the flow decides what it means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import_tensorflow()


def import_tensorflow() -> None:
    """Imports TensorFlow for one thread, with the kernels that are fast here, and without its noise."""
    os.environ.update(ONE_THREAD)
    choose_kernels()
    with quiet_import(), _hidden(*UNUSED):
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # a kept program per shape looks like retracing to it
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    gc.freeze()  # what TensorFlow brings lives as long as the worker: no collection need look at it


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps what TensorFlow's C++ writes to stderr while it is imported off the terminal."""
    with _importing:
        stderr = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)


@contextlib.contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Lets packages look as if they were not installed, to whatever would import them only because they are."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None stands for: not to be found
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


def _end_with_parent() -> None:
    """A worker whose flow was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
