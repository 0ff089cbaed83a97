"""Studies: what is searched, by which oracle, and how far."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mnist_models.data.augmentation import Augmentation
from mnist_models.data.dataset import DatasetReference
from mnist_models.foundation.fingerprint import code_fingerprint
from mnist_models.foundation.records import Record, digest
from mnist_models.optimizers.optimizer import Optimizer
from mnist_models.surrogate.values import Values
from mnist_models.training.budget import shares
from mnist_models.training.specification import TrainingSpec

USUAL_RATES = {"muon": 0.1, "sgd": 0.2, "adam": 4e-3}  # what a factor of 1 stands for
COOLDOWN = 0.3  # of a trial's images, where its learning rate falls at the end
FIRST_VALIDATION = 2_500  # images that judge the first of several rungs; the second is judged by twice as many


class Rung(Record):
    """A step of successive halving (Jamieson and Talwalkar 2016).

    Attributes:
        trials: How many combinations get here, besides the known ones.
        images: Training images that each has seen by its end.
    """

    trials: int = Field(ge=1)
    images: int = Field(ge=1)


class OracleSpec(Record):
    """Who leads a study, and how far.

    Attributes:
        kind: "halving" (`mnist_models.search.halving`), or of KerasTuner's own "grid" (every combination) and
            "hyperband" (Li et al. 2018).
        seed: Of its proposals, from 1.
        window: Open trials at a time; part of the study's identity, unlike the number of workers.
        max_trials: Of "grid"; None for all.
        max_epochs, factor: Of "hyperband".
        brackets: Of "halving": one after the other, each the rungs of its combinations.
        proposals: Of "halving": "model" (`mnist_models.surrogate`), "random", or "grid" for every combination.
        known: Of "halving": combinations that are tried first and trained to the last rung, whatever they score.
        portfolio: Of "halving": combinations that are tried right after these, among the trials of the first rung.
        seeds: Of "halving": trainings of each combination at the last rung.
    """

    kind: Literal["grid", "hyperband", "halving"]
    seed: int = Field(ge=1)
    window: int = Field(ge=1)
    max_trials: int | None = Field(default=None, ge=1)
    max_epochs: int = Field(default=27, ge=1)
    factor: int = Field(default=3, ge=2)
    brackets: tuple[tuple[Rung, ...], ...] = ()
    proposals: Literal["model", "random", "grid"] = "model"
    known: tuple[Values, ...] = ()
    portfolio: tuple[Values, ...] = ()
    seeds: int = Field(default=1, ge=1)


class Proposal(Record):
    """A trial that the oracle asks for.

    Attributes:
        number: From 1, in the order asked.
        values: Hyperparameters of the search space.
        epochs: To train, where the oracle says so (Hyperband); else None.
        parent: Number of the trial that this one continues, or None.
        budgets: Images seen at the end of each rung up to its own, where there are rungs.
        rung: Its own, from 0.
        last: Whether no rung is higher.
        seed: Added to the study's: trainings of one combination differ in it.
    """

    number: int
    values: Values
    epochs: int | None = None
    parent: int | None = None
    budgets: tuple[int, ...] = ()
    rung: int = 0
    last: bool = True
    seed: int = 0


class Study(Record):
    """A search for hyperparameters.

    Attributes:
        name: Of the stage.
        space: Name of the function in `mnist_models.search.spaces`.
        oracle: Who proposes.
        template: The training of every trial, but for the values that the oracle proposes and for its budget.
    """

    name: str
    space: str
    oracle: OracleSpec
    template: TrainingSpec

    def key(self, dataset: DatasetReference) -> str:
        """Cache key of the whole study."""
        code = code_fingerprint(
            "search.conversation", "search.spaces", "search.decision", "training.loop",
            f"networks.{self.template.network}",
        )  # fmt: skip
        return f"study-{digest([self.model_dump(mode='json'), dataset.fingerprint, code])}"

    def spec(self, proposal: Proposal, train: int) -> TrainingSpec:
        """The training of a trial.

        Args:
            proposal: What the oracle asks for.
            train: Size of the training set.
        """
        spec = apply_values(self.template, proposal.values)
        update: dict[str, object] = {"seed": spec.seed + proposal.seed}
        if proposal.epochs is not None:
            update["epochs"] = proposal.epochs
            update["shares"] = spec.shares and spec.shares[:1] * proposal.epochs
        if proposal.budgets:
            cooldown = COOLDOWN if spec.optimizer.schedule == "cooldown" else 0.0
            update["shares"] = shares(proposal.budgets, train, selection=spec.selection, cooldown=cooldown)
            update["epochs"] = len(shares(proposal.budgets, train, selection=spec.selection, cooldown=cooldown))
            if not proposal.last and cooldown:
                update["validation_images"] = FIRST_VALIDATION * (proposal.rung + 1)
        return spec.model_copy(update=update)


def apply_values(template: TrainingSpec, values: Values) -> TrainingSpec:
    """Puts proposed values where they belong: the recipe, its optimiser, augmentation, or the network."""
    network = dict(template.hyperparameters)
    augmentation = template.augmentation.model_dump() if template.augmentation else {}
    optimizer, recipe = template.optimizer.model_dump(), {}
    for name, value in values.items():
        if name == "optimizer":
            optimizer["name"] = value
        elif name == "learning_rate_factor":
            optimizer["learning_rate"] = USUAL_RATES[str(values["optimizer"])] * float(value)
        elif name == "shift_range":
            augmentation |= {"width_shift_range": value, "height_shift_range": value}
        elif name in Optimizer.model_fields:
            optimizer[name] = value
        elif name in Augmentation.model_fields:
            augmentation[name] = value
        elif name in ("batch_size", "label_smoothing", "selection"):
            recipe[name] = value
        else:
            network[name] = value
    return template.model_copy(
        update={
            **recipe,
            "hyperparameters": network,
            "optimizer": Optimizer(**optimizer),
            "augmentation": Augmentation(**augmentation) if any(map(_does, augmentation.values())) else None,
        }
    )


def _does(value: object) -> bool:
    """Whether a range of augmentation changes an image."""
    return value not in (0, "none")
