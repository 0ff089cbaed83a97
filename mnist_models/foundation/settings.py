"""Settings: one type for the command line, for environment variables (`MNIST_…`) and for Prefect's parameter form.

A profile is a set of values and nothing else: whatever it sets can be set by hand, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

Profile = Literal["quick", "standard", "full"]
Form = Literal["savedmodel", "litert", "litert_int8", "onnx"]
ENVIRONMENT_PREFIX = "MNIST_"

QUICK: dict[str, Any] = {
    "images": 3_000,
    "grid_trials": 12,
    "grid_epochs": 4,
    "hyperband_max_epochs": 3,
    "bayesian_trials": 4,
    "bayesian_initial_points": 2,
    "bayesian_epochs": 2,
    "augmentation_trials": 4,
    "augmentation_epochs": 2,
    "learning_rate_epochs": 2,
    "trial_share": 1.0,
    "cnn_epochs": 4,
    "cnn_schedule": "constant",
    "residual_epochs": 9,
    "exports": None,
}
"""All stages on 3,000 images: `python flows/full_pipeline.py --profile quick`.

Measured with seed 1 on two cores (AMD EPYC, 2026-11-23): 53 s from a cold start, 6 s fully cached; ensemble 99.60 % on
500 test images.
"""

FULL: dict[str, Any] = {
    "grid_epochs": 100,
    "hyperband_max_epochs": 150,
    "bayesian_trials": 200,
    "bayesian_initial_points": None,
    "bayesian_epochs": 2,
    "augmentation_trials": 100,
    "augmentation_epochs": 2,
    "learning_rate_epochs": 10,
    "retraining_epochs": 100,
    "cnn_epochs": 12,
    "patience": 10,
    "residual_epochs": 14,
    "final_seeds": 10,
}
"""The original's spaces and numbers of trials: `python flows/full_pipeline.py --profile full`.

A CNN trial has two epochs of two fifths of the images (`trial_share`), one of the learning rates at most ten, the
original's one of all; grid and Hyperband train batches of 256 (`fully_connected_batch_size`), the original's of 100 and
64; the CNNs that are found train anew on a linear schedule.
Measured with seed 1 on two cores (AMD EPYC, 2026-11-23): 80 min from a cold start (docs/performance.md);
ensemble of ten seeds 99.77 % on the test set.
"""

STANDARD: dict[str, Any] = {}
"""Every stage on all 70,000 images, with budgets for a laptop; its values are the defaults of `Settings`.

`python flows/full_pipeline.py`, measured with seed 1 on two cores (AMD EPYC, 2026-11-22): 9 min from a cold start;
ensemble of two seeds 99.74 % on the test set (99.62 to 99.82 %), members 99.73 and 99.70 %.
"""

PROFILES: dict[Profile, dict[str, Any]] = {"quick": QUICK, "standard": STANDARD, "full": FULL}


def fastest_precision() -> Literal["float32", "bfloat16"]:
    """Returns "bfloat16" where the CPU multiplies such numbers twice as fast, and "float32" elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


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
        default=None, description="An .npz with x_train, y_train, x_test, y_test; the embedded MNIST if none."
    )
    store: Path = Field(default=Path("artifacts"), description="Folder that keeps results, models and reports.")
    seed: int = Field(
        default=1, ge=1, le=2**31 - 1, description="Of split, weights, order, augmentation and proposals."
    )
    workers: int = Field(default=os.cpu_count() or 1, ge=1, le=256, description="Training processes, one thread each.")
    window: int = Field(
        default=4, ge=1, le=256, description="Open trials of a study; changes its proposals, unlike the workers."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default_factory=fastest_precision,
        description="Of the products in training steps; bfloat16 where the CPU has instructions for it.",
    )
    refresh: bool = Field(default=False, description="Compute everything anew, whatever the store holds.")
    images: int | None = Field(
        default=None, ge=60, description="Use a stratified subset of so many training and validation images."
    )
    baseline_epochs: int = Field(default=5, ge=1, description="Epochs of the fully connected baseline.")
    grid_trials: int | None = Field(default=None, ge=1, description="Combinations of the grid to try; all 90 if none.")
    grid_epochs: int = Field(default=3, ge=1, description="Epochs at most of a trial of the grid.")
    fully_connected_batch_size: int = Field(
        default=256, ge=1, description="Images per step of the trainings of the grid and of Hyperband."
    )
    hyperband_max_epochs: int = Field(default=9, ge=1, description="Epochs of Hyperband's longest trials.")
    hyperband_factor: int = Field(default=3, ge=2, description="Hyperband keeps one trial in so many.")
    bayesian_trials: int = Field(default=10, ge=1, description="Trials of the Bayesian search over architectures.")
    bayesian_initial_points: int | None = Field(
        default=5, ge=1, description="Random trials before Bayesian searches model the scores; 3 per dimension if none."
    )
    bayesian_epochs: int = Field(default=1, ge=1, description="Epochs of a trial of that search.")
    augmentation_trials: int = Field(default=6, ge=1, description="Trials of the Bayesian search over augmentation.")
    augmentation_epochs: int = Field(default=1, ge=1, description="Epochs of a trial of that search.")
    learning_rate_epochs: int = Field(
        default=1, ge=1, description="Epochs at most of a trial of the learning-rate grid."
    )
    retraining_epochs: int = Field(
        default=20, ge=1, description="Epochs at most when a fully connected winner is trained again from scratch."
    )
    trial_share: float = Field(
        default=0.4, gt=0, le=1, description="Share of the training images that an epoch of a CNN trial sees."
    )
    cnn_schedule: Literal["constant", "linear"] = Field(
        default="linear", description="Learning rate of the CNN baseline and of retrained CNNs: constant, or down to 0."
    )
    cnn_epochs: int = Field(default=4, ge=1, description="Epochs at most of the CNN baseline and of retrained CNNs.")
    patience: int = Field(default=5, ge=1, description="Stop after so many epochs without a lower validation loss.")
    residual_epochs: int = Field(
        default=5, ge=1, description="Epochs of the residual network; all but the first on half of the images."
    )
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


def parse_command_line(arguments: list[str] | None = None, usage: str = "") -> Settings:
    """Reads the settings from the command line and the environment; exits with status 2 where one is wrong.

    Args:
        arguments: Instead of the process's.
        usage: What else the command line takes, for `--help`.
    """
    prog = Path(sys.argv[0]).name
    try:
        _refuse_unknown_variables()
        return Settings(
            _cli_parse_args=sys.argv[1:] if arguments is None else arguments, _cli_prog_name=f"{prog} {usage}".strip()
        )
    except ValidationError as error:
        message = "\n".join(_explain(problem) for problem in error.errors())
    except (SettingsError, ValueError) as error:
        message = str(error)
    sys.stderr.write(f"{prog}: {message}\n{prog}: see --help for all options\n")
    raise SystemExit(2)


def _explain(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    option, variable = f"--{name.replace('_', '-')}", f"{ENVIRONMENT_PREFIX}{name.upper()}"
    expected = problem["msg"].removeprefix("Input should be ")
    return f"{option} (or {variable}): expected {expected}. Received: {problem['input']!r}"


def _refuse_unknown_variables() -> None:
    """A misspelt variable would otherwise go unnoticed."""
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX) and name not in known)
    if unknown:
        raise ValueError(f"expected environment variables out of {', '.join(sorted(known))}. Received: {unknown[0]}")
