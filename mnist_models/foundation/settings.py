"""Settings: one type for the command line, for environment variables (`MNIST_…`) and for Prefect's parameter form.

A profile is a set of values and nothing else: whatever it sets can be set by hand, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BeforeValidator, Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mnist_models.foundation.processor import fastest_precision
from mnist_models.objects.copies import USUAL_SIZE

Profile = Literal["quick", "standard", "full"]
Form = Literal["savedmodel", "litert", "litert_int8", "onnx"]
ENVIRONMENT_PREFIX = "MNIST_"
AUTO = 0  # a window that is left to the run
MOST_OPEN = 1024

QUICK: dict[str, Any] = {
    "images": 3_000,
    "epoch_images": 2_500,
    "grid_trials": 12,
    "grid_epochs": 4,
    "hyperband_max_epochs": 3,
    "bayesian_trials": 4,
    "rungs": 2,
    "bayesian_epochs": 3.0,
    "augmentation_trials": 3,
    "augmentation_epochs": 3.0,
    "learning_rate_epochs": 3.0,
    "recipe_trials": 4,
    "recipe_epochs": 3.0,
    "cnn_epochs": 4.0,
    "final_epochs": 5.0,
    "exports": None,
}
"""All stages on 3,000 images: `python flows/full_pipeline.py --profile quick`."""

FULL: dict[str, Any] = {
    "grid_epochs": 27,
    "hyperband_max_epochs": 150,
    "bayesian_trials": 200,
    "bayesian_epochs": 0.9,
    "augmentation_trials": 100,
    "augmentation_epochs": 0.75,
    "learning_rate_epochs": 1.0,
    "recipe_trials": 36,
    "recipe_epochs": 3.0,
    "recipe_seeds": 2,
    "retraining_epochs": 100,
    "cnn_epochs": 5.0,
    "patience": 10,
    "final_epochs": 7.5,
    "final_seeds": 10,
    "label_folds": 3,
}
"""The original's spaces and numbers of trials: `python flows/full_pipeline.py --profile full`.

Trials climb rungs, so most of a study's are short; grid and Hyperband train batches of 256
(`fully_connected_batch_size`), the original's of 100 and 64; the CNNs that are found train anew on a linear schedule.
"""

STANDARD: dict[str, Any] = {}
"""Every stage on all 70,000 images, with budgets for a laptop; its values are the defaults of `Settings`."""

PROFILES: dict[Profile, dict[str, Any]] = {"quick": QUICK, "standard": STANDARD, "full": FULL}


def _read_store(store: Any) -> Any:
    """A folder, unless it is the address of objects."""
    if isinstance(store, str) and "://" in store:
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[\w.=-]+)*", store):
            raise PydanticCustomError("store", "a folder, or an address like s3://bucket/prefix")
        return store
    return Path(store)


def _read_window(window: Any) -> Any:
    return AUTO if window == "auto" else window


def _leave_defaults_to_the_profile(schema: dict[str, Any]) -> None:
    """Keeps defaults out of the schema: Prefect's form would send them, and they would overrule the profile's."""
    for name, field in schema["properties"].items():
        if name != "profile":
            field.pop("default", None)


class Settings(BaseSettings):
    """What to run, on what, with which budgets; what is left empty is up to the profile. Defaults are "standard"'s."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_parse_none_str="none",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        json_schema_extra=_leave_defaults_to_the_profile,
    )

    profile: Profile = Field(
        default="standard",
        description="Set of budgets: quick (a first look), standard (a laptop), full (the original's trials).",
    )
    data: Path | None = Field(
        default=None,
        description="Your images: an .npz, a .csv or .parquet file, or a folder of pictures, IDX files or tables "
        "(docs/data.md); the embedded MNIST if none.",
    )
    image_size: int | None = Field(
        default=None, ge=8, le=256, description="Bring pictures to so many pixels a side; up to their sizes if none."
    )
    bad_images: int = Field(default=0, ge=0, description="Leave out so many pictures that cannot be read.")
    group_column: str | None = Field(
        default=None, min_length=1, description="Column of a table whose groups (writers, patients) are never split."
    )
    group_pattern: str | None = Field(
        default=None, min_length=1, description="Regular expression that finds such a group in a picture's file name."
    )
    transposed: bool = Field(default=False, description="The images are stored column by column, as EMNIST's are.")
    drop_leaks: bool = Field(
        default=False, description="Leave out training images that are also in the validation or the test set."
    )
    label_folds: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Look for wrong training labels with so many networks, each trained without a part; 0 for none.",
    )
    store: Annotated[Path | str, BeforeValidator(_read_store)] = Field(
        default=Path("artifacts"),
        description="Folder that keeps results, models and reports; or s3://bucket/prefix (docs/scaling.md).",
    )
    cache_size: float = Field(
        default=USUAL_SIZE, gt=0, description="Gigabytes of this machine that copies of objects elsewhere may take."
    )
    seed: int = Field(
        default=1, ge=1, le=2**31 - 1, description="Of split, weights, order, augmentation and proposals."
    )
    workers: int = Field(default=os.cpu_count() or 1, ge=1, le=256, description="Training processes, one thread each.")
    cluster: str | None = Field(
        default=None,
        description="Address of a Dask scheduler whose workers train, tcp://host:8786; this machine's if none "
        "(docs/scaling.md).",
    )
    cluster_resources: str | None = Field(
        default=None,
        description="What a training takes of a worker of the cluster, as its workers name it: GPU=1,MEMORY=4e9.",
    )
    window: Annotated[int, BeforeValidator(_read_window)] = Field(
        default=4,
        ge=AUTO,
        le=MOST_OPEN,
        description="Open trials of a study; changes its proposals, unlike the workers. auto (0 in a form): as many as "
        "the first run's workers need, which those that resume it keep.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default_factory=fastest_precision,
        description="Of the products in training steps; bfloat16 where the CPU has instructions for it.",
    )
    minutes: float | None = Field(
        default=None,
        gt=0,
        description="Fit the budgets that are not set by hand to so many minutes of this machine; none for the "
        "profile's. The first run's plan is kept, and followed by those that resume it.",
    )
    refresh: bool = Field(default=False, description="Compute everything anew, whatever the store holds.")
    images: int | None = Field(
        default=None, ge=60, description="Use a stratified subset of so many training and validation images."
    )
    epoch_images: int = Field(
        default=50_000, ge=1, description="Training images of an epoch, whatever there are: all budgets count in these."
    )
    baseline_epochs: int = Field(default=5, ge=1, description="Epochs of both baselines.")
    grid_trials: int | None = Field(default=None, ge=1, description="Combinations of the grid to try; all 90 if none.")
    grid_epochs: float = Field(default=18.0, gt=0, description="Epochs at most of the grid's best: its last rung.")
    fully_connected_batch_size: int = Field(
        default=256, ge=1, description="Images per step of the trainings of the grid and of Hyperband."
    )
    hyperband_max_epochs: int = Field(default=9, ge=1, description="Epochs of Hyperband's longest trials.")
    hyperband_factor: int = Field(default=3, ge=2, description="Hyperband keeps one trial in so many.")
    rungs: int = Field(default=3, ge=1, description="Of all other searches: a third climbs to three times the epochs.")
    bayesian_trials: int = Field(default=9, ge=1, description="Architectures that the CNN's search tries.")
    bayesian_epochs: float = Field(default=0.45, gt=0, description="Epochs of its last rung.")
    augmentation_trials: int = Field(default=6, ge=1, description="Augmentations that are tried.")
    augmentation_epochs: float = Field(default=0.3, gt=0, description="Epochs of that search's last rung.")
    learning_rate_epochs: float = Field(default=0.3, gt=0, description="Epochs of the learning rates' last rung.")
    recipe_trials: int = Field(default=9, ge=1, description="Recipes of the residual network that are tried.")
    recipe_epochs: float = Field(default=0.75, gt=0, description="Epochs of that search's last rung.")
    recipe_seeds: int = Field(default=1, ge=1, description="Trainings of each recipe at the last rung.")
    retraining_epochs: int = Field(
        default=20, ge=1, description="Epochs at most when a fully connected winner is trained again from scratch."
    )
    cnn_schedule: Literal["constant", "linear"] = Field(
        default="linear", description="Learning rate of the CNN baseline and of retrained CNNs: constant, or down to 0."
    )
    cnn_epochs: float = Field(
        default=1.5, gt=0, description="Epochs of retrained CNNs; whole ones, at most, on a constant rate."
    )
    patience: int = Field(default=5, ge=1, description="Stop after so many epochs without a lower validation loss.")
    final_epochs: float = Field(default=3.0, gt=0, description="Epochs of the best recipe, and so of its final models.")
    final_seeds: int = Field(default=2, ge=2, description="Members of the final ensemble, one seed each.")
    exports: str | None = Field(
        default=",".join(get_args(Form)),
        description="Forms to write the final model in, besides model.keras; with commas between.",
    )
    champion: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Name of the champion that the final model is compared with; a store may keep several.",
    )
    promotion_margin: float = Field(
        default=0.05, ge=0, description="Points of accuracy that a new champion may lack, as far as 95 % tell."
    )
    promotion_slack: float = Field(
        default=2.0, ge=1, description="So many times as slow, large and badly calibrated as the old one it may be."
    )
    reserve: float = Field(
        default=0.0, ge=0, le=0.9, description="Share of the test images that only the gate sees, and no report."
    )

    mlflow: str | None = Field(
        default=None, description="URI of an MLflow tracking server that the run is sent to, too."
    )

    @property
    def needed_resources(self) -> tuple[tuple[str, float], ...]:
        """The names and amounts in `cluster_resources`."""
        pairs = (pair.split("=") for pair in (self.cluster_resources or "").split(",") if pair)
        return tuple((name, float(amount)) for name, amount in pairs)

    @property
    def export_forms(self) -> tuple[Form, ...]:
        """The names in `exports`."""
        return tuple(cast(Form, name.strip()) for name in (self.exports or "").split(",") if name.strip())

    @field_validator("exports")
    @classmethod
    def _check_exports(cls, exports: str | None) -> str | None:
        names = [name.strip() for name in (exports or "").split(",") if name.strip()]
        if not set(names) <= set(get_args(Form)):
            raise PydanticCustomError("forms", "names out of " + ", ".join(get_args(Form)))
        return exports

    @field_validator("cluster")
    @classmethod
    def _check_cluster(cls, cluster: str | None) -> str | None:
        if cluster is not None and not re.fullmatch(r"(tcp|tls|ws|wss)://[^/\s:]+:\d+", cluster):
            raise PydanticCustomError("cluster", "an address like tcp://host:8786")
        return cluster

    @field_validator("cluster_resources")
    @classmethod
    def _check_resources(cls, resources: str | None) -> str | None:
        amount = r"[\w-]+=\d+(\.\d+)?(e\d+)?"
        if resources is not None and not re.fullmatch(f"{amount}(,{amount})*", resources):
            raise PydanticCustomError("resources", "names and amounts like GPU=1,MEMORY=4e9")
        return resources

    @field_validator("group_pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise PydanticCustomError("pattern", f"a regular expression ({error})") from error
        return pattern

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the profile."""
        return init_settings, env_settings, _ProfileSource(settings_cls)


class _ProfileSource(PydanticBaseSettingsSource):
    """The values of the profile that the sources before this one chose."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # values come all at once

    def __call__(self) -> dict[str, Any]:
        return dict(PROFILES.get(self.current_state.get("profile", "standard"), {}))
