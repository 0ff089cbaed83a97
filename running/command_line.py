"""The command line and the environment, read as settings: a mistake is told in a line, before any work."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from mnist_models.foundation.settings import ENVIRONMENT_PREFIX, Settings


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
