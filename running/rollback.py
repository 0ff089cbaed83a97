"""Makes an earlier champion the champion again, at once: `python running/rollback.py --list`.

It needs no server; where PREFECT_API_URL names one, that shows an event and an artifact of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from mnist_models.champion.history import DEFAULT, NoChampionError, read_champion, read_history, rollback
from mnist_models.champion.record import Champion, Event
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.settings import ENVIRONMENT_PREFIX
from mnist_models.foundation.store import Store


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get(f"{ENVIRONMENT_PREFIX}STORE", "artifacts")
    parser.add_argument("--store", type=Path, default=Path(default), help=f"the store (default: {default})")
    parser.add_argument("--champion", default=DEFAULT, metavar="NAME", help="which champion, where there are several")
    parser.add_argument("--to", type=int, metavar="N", help="event that made it (default: the champion before)")
    parser.add_argument("--list", action="store_true", help="show the history and change nothing")
    return parser.parse_args(arguments)


def main() -> None:
    """Rolls back, or lists the history; exits with status 2 where there is nothing to go back to."""
    options = parse()
    store = Store(options.store)
    if not options.store.is_dir():
        _refuse(f"expected a store. Received: {options.store}, which is no folder")
    try:
        if options.list:
            _list(store, options.champion)
            return
        before = read_champion(store, options.champion)
        champion = rollback(store, options.to, options.champion)
    except (NoChampionError, DamagedFileError) as error:
        _refuse(str(error))
    sys.stdout.write(f"The champion is the model of {champion.run}, promoted {champion.promoted_at}.\n")
    if before != champion and os.environ.get("PREFECT_API_URL"):
        _tell(options.champion, champion, f"from the model of {before.run if before else 'nobody'}")


def line(event: Event) -> str:
    """An event as a line of the history."""
    return f"{event.number:4}  {event.at[:16]}  {event.kind:11}  {event.run}: {event.reason}\n"


def _list(store: Store, name: str) -> None:
    champion = read_champion(store, name)
    for event in read_history(store, name):
        current = event.kind == "promoted" and event.champion == champion
        sys.stdout.write(("*" if current else " ") + line(event))


def _tell(name: str, champion: Champion, reason: str) -> None:
    """Says it to the server; one that is not there costs a warning."""
    from prefect.client.orchestration import get_client

    from tasks.champion_events import tell_rollback

    try:
        with get_client(sync_client=True) as client:
            tell_rollback(client, name, champion, reason)
    except Exception as error:  # whatever it is, the rollback is done
        sys.stderr.write(f"rollback.py: Prefect's server could not be told: {type(error).__name__}: {error}\n")


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"rollback.py: {message}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
