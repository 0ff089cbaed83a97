"""Studies: what is searched, by which oracle, and how far."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import Record, digest
from mnist_models.training.specification import TrainingSpec

Values = dict[str, int | float | str]


class OracleSpec(Record):
    """Which KerasTuner oracle leads a study, and how far.

    Attributes:
        kind: "grid" (every combination), "hyperband" (Li et al. 2018) or "bayesian" (Gaussian process).
        seed: Of its proposals, from 1.
        window: Open trials at a time; part of the study's identity, unlike the number of workers.
        max_trials: Of "grid" (None for all) and "bayesian".
        initial_points: Random trials before "bayesian" models their scores; None for 3 per hyperparameter.
        max_epochs, factor: Of "hyperband".
    """

    kind: Literal["grid", "hyperband", "bayesian"]
    seed: int = Field(ge=1)
    window: int = Field(ge=1)
    max_trials: int | None = Field(default=None, ge=1)
    initial_points: int | None = Field(default=None, ge=1)
    max_epochs: int = Field(default=27, ge=1)
    factor: int = Field(default=3, ge=2)


class Study(Record):
    """A search for hyperparameters.

    Attributes:
        name: Of the stage.
        space: Name of the function in `mnist_models.search.spaces`.
        oracle: Who proposes.
        template: The training of every trial, but for the values that the oracle proposes.
    """

    name: str
    space: str
    oracle: OracleSpec
    template: TrainingSpec

    def key(self, dataset: DatasetReference) -> str:
        """Cache key of the whole study."""
        code = code_fingerprint(
            "search.conversation", "search.spaces", "training.loop", f"networks.{self.template.network}"
        )
        return f"study-{digest([self.model_dump(mode='json'), dataset.fingerprint, code])}"

    def spec(self, values: Values, epochs: int | None) -> TrainingSpec:
        """The training of one trial."""
        spec = apply_values(self.template, values)
        return spec if epochs is None else spec.model_copy(update={"epochs": epochs})


class Proposal(Record):
    """A trial that the oracle asks for.

    Attributes:
        number: From 1, in the order asked.
        values: Hyperparameters of the search space.
        epochs: To train, where the oracle says so (Hyperband); else None.
        parent: Number of the trial that this one continues (Hyperband), or None.
    """

    number: int
    values: Values
    epochs: int | None = None
    parent: int | None = None


def apply_values(template: TrainingSpec, values: Values) -> TrainingSpec:
    """Puts proposed values where they belong: learning rate, augmentation, or the network's hyperparameters."""
    network = dict(template.hyperparameters)
    augmentation = template.augmentation.model_dump() if template.augmentation else {}
    optimizer = template.optimizer
    for name, value in values.items():
        if name == "learning_rate":
            optimizer = optimizer.model_copy(update={name: value})
        elif name in Augmentation.model_fields:
            augmentation[name] = value
        else:
            network[name] = value
    return template.model_copy(
        update={
            "hyperparameters": network,
            "optimizer": optimizer,
            "augmentation": Augmentation(**augmentation) if augmentation else None,
        }
    )
