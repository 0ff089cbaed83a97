"""A PostgreSQL of our own, as an ordinary process; no password, but a socket that only its user can open."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

DATABASE = "prefect"
DEBIAN = Path("/usr/lib/postgresql")


class PostgresError(Exception):
    """There is no PostgreSQL here, or it does not start."""


def binaries() -> Path:
    """Returns the folder of PostgreSQL's programs, those of the newest version.

    Raises:
        PostgresError: If there is none.
    """
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not folders:
        raise PostgresError(f"expected PostgreSQL in PATH or {DEBIAN} (Debian: apt install postgresql); found none")
    return folders[-1].parent


def initialise(folder: Path) -> None:
    """Makes an empty database cluster where there is none yet.

    Args:
        folder: Of its files; absolute. Its path must be short: a socket's has at most 107 bytes.

    Raises:
        PostgresError: If that fails.
    """
    if (folder / "PG_VERSION").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    user = _user()
    if user:
        shutil.chown(folder, user)
    command = [str(binaries() / "initdb"), "--pgdata", str(folder), "--username", DATABASE]
    options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"]
    done = subprocess.run([*command, *options], user=user, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise PostgresError(f"initdb failed in {folder}: {done.stderr.strip()}")


def command(folder: Path) -> list[str]:
    """The command of the server; it listens on no port, only on a socket in its folder."""
    options = {"unix_socket_directories": str(folder), "unix_socket_permissions": "0700", "listen_addresses": ""}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return [*_as_user(), str(binaries() / "postgres"), "-D", str(folder), *settings]


def create_database(folder: Path) -> bool:
    """Makes Prefect's database once the server answers; returns whether it is there."""
    program, host = binaries(), ["--host", str(folder), "--username", DATABASE]
    if _run([str(program / "pg_isready"), *host]).returncode:
        return False
    done = _run([str(program / "createdb"), *host, DATABASE])
    return done.returncode == 0 or "already exists" in done.stderr


def url(folder: Path) -> str:
    """Where Prefect's server finds the database."""
    return f"postgresql+asyncpg://{DATABASE}@/{DATABASE}?host={folder}"


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, user=_user(), cwd="/", capture_output=True, text=True, check=False)


def _user() -> str | None:
    """PostgreSQL refuses to run as root; None for the user that we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _as_user() -> list[str]:
    user = _user()
    return ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
