"""KerasTuner's own `Tuner.search` with plain Keras models, on all cores, as KerasTuner documents it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from benchmarks.peers.tuner_search import build_cnn
from benchmarks.searches.finding import Finding, Task
from benchmarks.searches.plain_recipe import build_recipe
from mnist_models.data.dataset import Images, read_split, scale
from mnist_models.foundation.store import Store
from mnist_models.search.spaces import search_space

EPOCHS = 5  # of the random and of the Bayesian search
LONGEST, FACTOR = 9, 3  # of Hyperband
BATCH_SIZE = 256  # of the CNN, as the original project has it
BOOKKEEPING = "tuner/"
MANY = 10_000  # trials: the time ends the search


def search(task: Task, oracle: str) -> Iterable[Finding]:
    """Searches until the time is up.

    Args:
        task: What, and how long.
        oracle: "Hyperband", "BayesianOptimization" or "RandomSearch".
    """
    import keras
    import keras_tuner

    class TimeIsUpError(keras_tuner.errors.FatalError):  # type: ignore[misc]
        """Leaves `Tuner.search`, which takes others for failures of a trial."""

    keras.utils.set_random_seed(task.seed)
    findings: list[Finding] = []

    class Timed(getattr(keras_tuner, oracle)):  # type: ignore[misc]
        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            if trial.score is None:  # it failed
                return
            values = {name: value for name, value in trial.hyperparameters.values.items() if BOOKKEEPING not in name}
            findings.append(Finding(time.perf_counter() - begun, float(trial.score), values))

    class End(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if time.perf_counter() - begun > task.seconds:
                raise TimeIsUpError

    limits = {"max_epochs": LONGEST, "factor": FACTOR, "hyperband_iterations": MANY}
    train, validation = (_arrays(task, split) for split in ("train", "validation"))
    with tempfile.TemporaryDirectory(prefix="tuner-") as folder:
        begun = time.perf_counter()
        tuner = Timed(
            _model(task, len(train[0])),
            objective=keras_tuner.Objective("val_cross_entropy", "min"),
            hyperparameters=search_space(task.space),
            tune_new_entries=False,
            seed=task.seed,
            directory=folder,
            **(limits if oracle == "Hyperband" else {"max_trials": MANY}),
        )
        epochs = {} if oracle == "Hyperband" else {"epochs": EPOCHS}
        try:
            tuner.search(*train, validation_data=validation, callbacks=[End()], verbose=0, **epochs)
        except TimeIsUpError:
            return [one for one in findings if one.seconds <= task.seconds]
    return findings


def _model(task: Task, train: int) -> Any:
    """The hypermodel of the space."""
    import keras
    import keras_tuner

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            if task.space == "residual_recipe":
                epochs = hp.values.get("tuner/epochs", EPOCHS)
                return build_recipe(hp, steps=epochs * -(-train // hp.get("batch_size")))
            model = build_cnn(hp)
            model.compile(
                keras.optimizers.Adam(hp.get("learning_rate")),
                loss="categorical_crossentropy",
                metrics=[keras.metrics.CategoricalCrossentropy(name="cross_entropy")],
            )
            return model

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            size = hp.get("batch_size") if task.space == "residual_recipe" else BATCH_SIZE
            return model.fit(*args, batch_size=size, **kwargs)

    return Model()


def _arrays(task: Task, split: str) -> tuple[Any, Any]:
    """Pixels from 0 to 1, float32 [n, 28, 28, 1], and labels, one hot, float32 [n, 10]."""
    import keras

    images: Images = read_split(Store(task.root), task.dataset, split)
    return scale(images.x), keras.utils.to_categorical(images.y, task.dataset.classes)


TUNERS = {
    "Tuner.search, Hyperband": partial(search, oracle="Hyperband"),
    "Tuner.search, Bayesian": partial(search, oracle="BayesianOptimization"),
    "Tuner.search, random": partial(search, oracle="RandomSearch"),
}
