"""The champion of a store and its history, on disk: `champion/current.json` and `champion/history/NNNN.json`.

The history comes first: an event is decided once its file is there, and `current.json` follows. A process that is
killed between the two leaves the old champion; whoever changes the champion next first completes what was decided.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from mnist_models.champion.paired import Paired
from mnist_models.champion.record import Champion, Event, Kind
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store

DEFAULT = "default"


class NoChampionError(ValueError):
    """There is no champion, or none to go back to."""


def champion_folder(store: Store, name: str = DEFAULT) -> Path:
    """Where a champion lies; a store has one, and others beside it by name."""
    folder = store.root / "champion"
    return folder if name == DEFAULT else folder / "named" / name


def champion_names(store: Store) -> tuple[str, ...]:
    """Returns the names of a store's champions."""
    store.fetch("champion")
    named = sorted((store.root / "champion" / "named").glob("*/current.json"))
    default = (DEFAULT,) if (champion_folder(store) / "current.json").is_file() else ()
    return (*default, *(path.parent.name for path in named))


def read_champion(store: Store, name: str = DEFAULT) -> Champion | None:
    """Returns the champion, or None where there is none yet.

    Raises:
        DamagedFileError: If its record was altered; the next promotion or rollback writes it anew.
    """
    path = champion_folder(store, name) / "current.json"
    store.renew(path)
    try:
        return Champion.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DamagedFileError(path, f"not the record of a champion ({error.errors()[0]['msg']})") from error


def read_history(store: Store, name: str = DEFAULT) -> tuple[Event, ...]:
    """Returns all events, the oldest first.

    Raises:
        DamagedFileError: If one was altered.
    """
    folder = champion_folder(store, name) / "history"
    store.fetch(folder.relative_to(store.root))
    return tuple(_read_event(path) for path in sorted(folder.glob("*.json")))


def promote(
    store: Store, challenger: Champion, reason: str, name: str = DEFAULT, comparison: Paired | None = None
) -> Champion:
    """Makes a challenger the champion.

    Args:
        store: Whose champion.
        challenger: With nothing in `previous`, which is filled in.
        reason: In words.
        name: Of the champion, where the store has several.
        comparison: With the champion.

    Returns:
        The champion as it is now in the store; the one that was there where it has the challenger's weights.
    """
    with _changing(store, name) as events:
        last = _last_champion(events)
        if last is not None and last.weights == challenger.weights:
            return last
        previous = next((e.number for e in reversed(events) if e.kind == "promoted" and e.champion == last), None)
        champion = Champion.model_validate({**challenger.model_dump(exclude={"seal"}), "previous": previous})
        _append(store, name, events, "promoted", champion, reason, champion, comparison)
        return champion


def refuse(
    store: Store, challenger: Champion, reason: str, name: str = DEFAULT, comparison: Paired | None = None
) -> None:
    """Notes that a challenger was not promoted, once for each pair of challenger, champion and reason."""
    with _changing(store, name) as events:
        champion = _last_champion(events)
        known = {(e.kind, e.challenger, e.champion and e.champion.seal, e.reason) for e in events}
        if ("refused", challenger.weights, champion and champion.seal, reason) not in known:
            _append(store, name, events, "refused", challenger, reason, champion, comparison)


def rollback(store: Store, to: int | None = None, name: str = DEFAULT) -> Champion:
    """Makes an earlier champion the champion again; the one that goes is not promoted again by itself.

    Args:
        store: Whose champion.
        to: Number of the event that made that champion, who may be back already; None for the one before this one.
        name: Of the champion, where the store has several.

    Raises:
        NoChampionError: If there is no such champion.
        DamagedFileError: If its model is not what it was.
    """
    with _changing(store, name) as events:
        current = _last_champion(events)
        number = to if to is not None else current and current.previous
        promoted = {event.number: event.champion for event in events if event.kind == "promoted"}
        earlier = promoted.get(number) if number else None
        if current is None or earlier is None:
            choice = ", ".join(map(str, promoted)) or "none yet"
            raise NoChampionError(f"Expected an earlier champion to go back to, out of {choice}. Received: {number}")
        store.verify(earlier.model)
        if earlier == current:
            return current
        _append(store, name, events, "rolled back", current, f"back to the champion of event {number}", earlier)
        return earlier


def taken_back(events: tuple[Event, ...], weights: str) -> Event | None:
    """Returns the last event that concerns these weights, where that was a rollback of them."""
    mine = [event for event in events if event.kind != "refused" and event.challenger == weights]
    return mine[-1] if mine and mine[-1].kind == "rolled back" else None


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _changing(store: Store, name: str) -> Iterator[tuple[Event, ...]]:
    """Holds the champion's lock, and completes a change that was cut off."""
    with store.lock(f"champion-{name}", f"process {os.getpid()}", lambda other: None):
        events = read_history(store, name)
        champion = _last_champion(events)
        if champion is not None and _current_or_none(store, name) != champion:
            _write_current(store, name, champion)
        yield events


def _last_champion(events: tuple[Event, ...]) -> Champion | None:
    return events[-1].champion if events else None


def _current_or_none(store: Store, name: str) -> Champion | None:
    try:
        return read_champion(store, name)
    except DamagedFileError:
        return None


def _append(
    store: Store,
    name: str,
    events: tuple[Event, ...],
    kind: Kind,
    challenger: Champion,
    reason: str,
    champion: Champion | None,
    comparison: Paired | None = None,
) -> None:
    number = events[-1].number + 1 if events else 1
    event = Event(
        key=f"event-{number}",
        number=number,
        kind=kind,
        at=now(),
        reason=reason,
        champion=champion,
        challenger=challenger.weights,
        run=challenger.run,
        comparison=comparison,
    )
    path = champion_folder(store, name) / "history" / f"{number:04d}.json"
    store.add(path, event.model_dump_json(indent=2).encode())
    if champion is not None and kind != "refused":
        _write_current(store, name, champion)


def _write_current(store: Store, name: str, champion: Champion) -> None:
    path = champion_folder(store, name) / "current.json"
    store.write(path.relative_to(store.root), champion.model_dump_json(indent=2).encode())


def _read_event(path: Path) -> Event:
    try:
        return Event.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DamagedFileError(path, f"not an event of the history ({error.errors()[0]['msg']})") from error
