from __future__ import annotations

from pathlib import Path

import pytest

from mnist_models.foundation.settings import FULL, PROFILES, QUICK, Settings
from running.command_line import parse_command_line


def test_defaults_are_the_standard_profile() -> None:
    settings = parse_command_line([])
    assert settings.profile == "standard"
    assert settings == Settings(profile="standard")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_only_sets_values(profile: str) -> None:
    settings = parse_command_line(["--profile", profile])
    standard = Settings().model_dump()
    assert settings.model_dump() == {**standard, **PROFILES[settings.profile], "profile": profile}


def test_options_beat_variables_beat_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_PROFILE", "quick")
    monkeypatch.setenv("MNIST_IMAGES", "700")
    monkeypatch.setenv("MNIST_GRID_TRIALS", "5")
    settings = parse_command_line(["--grid-trials", "7", "--store", "elsewhere"])
    assert (settings.images, settings.grid_trials, settings.grid_epochs) == (700, 7, QUICK["grid_epochs"])
    assert settings.store == Path("elsewhere")


def test_none_takes_a_limit_away() -> None:
    assert parse_command_line(["--profile=quick", "--images=none"]).images is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--profile", "fast"],
            "--profile (or MNIST_PROFILE): expected 'quick', 'standard' or 'full'. Received: 'fast'",
        ),
        (["--workers", "0"], "--workers (or MNIST_WORKERS): expected greater than or equal to 1. Received: '0'"),
        (["--seed", "x"], "--seed (or MNIST_SEED): expected a valid integer"),
        (["--final-seeds", "1"], "--final-seeds (or MNIST_FINAL_SEEDS): expected greater than or equal to 2"),
        (["--wrkers", "2"], "--workers"),
        (["--group-pattern", "("], "--group-pattern (or MNIST_GROUP_PATTERN): expected a regular expression"),
        (["--image-size", "2"], "--image-size (or MNIST_IMAGE_SIZE): expected greater than or equal to 8"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        parse_command_line(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_a_bad_variable_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MNIST_WORKERS", "many")
    with pytest.raises(SystemExit):
        parse_command_line([])
    assert "MNIST_WORKERS" in capsys.readouterr().err


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MNIST_WRKERS", "2")
    with pytest.raises(SystemExit):
        parse_command_line([])
    error = capsys.readouterr().err
    assert "MNIST_WORKERS" in error
    assert "Received: MNIST_WRKERS" in error


def test_help_documents_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        parse_command_line(["--help"])
    assert exit.value.code == 0
    printed = capsys.readouterr().out
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in printed
        assert field.description
        assert field.description.split()[0] in printed


def test_profiles_name_real_settings() -> None:
    assert set(QUICK) | set(FULL) <= set(Settings.model_fields)


def test_settings_are_frozen_and_strict() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings(epochs=3)  # type: ignore[call-arg]
