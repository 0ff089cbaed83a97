"""Which model answers now: the champion, and a new one as soon as there is one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from mnist_models.champion.history import DEFAULT, champion_folder
from mnist_models.foundation.files import DamagedFileError
from mnist_models.foundation.store import Store
from mnist_models.inference.engines import EngineError
from mnist_models.inference.model import NoModelError, find_model
from mnist_models.inference.request import Preparation
from running.serving.limits import Limits, RefusedError
from running.serving.loaded import Loaded
from running.serving.metrics import CHANGES, MODEL, REFUSED_MODELS

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.3  # between two looks at the champion's record


@dataclass(frozen=True)
class Choice:
    """Which model a server answers with.

    Attributes:
        store: Whose champion.
        champion: Its name, where the store has several.
        named: A file instead.
        form: A form of the champion instead of the fastest.
        preparation: Of pictures.
        threads: That answer, one core each.
    """

    store: Store
    champion: str = DEFAULT
    named: Path | None = None
    form: str | None = None
    preparation: Preparation = "auto"
    threads: int = 1


class CurrentModel:
    """The model that answers.

    Args:
        choice: Which one.
        limits: On pictures.
    """

    def __init__(self, choice: Choice, limits: Limits) -> None:
        self._choice = choice
        self._limits = limits
        self._seen: tuple[int, ...] | None = None
        self._loaded: Loaded | None = None
        self.reason = "no model was looked for yet"

    def get(self) -> Loaded:
        """Returns the model that answers; what it is asked before this thread next waits, it answers.

        Raises:
            RefusedError: If there is none yet.
        """
        if self._loaded is None:
            raise RefusedError(503, self.reason)
        return self._loaded

    async def watch(self) -> None:
        """Takes each new model once it is loaded, as long as the server runs."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Takes a new model if there is one; one that cannot be loaded changes nothing."""
        seen = self._identity()
        if seen == self._seen:
            return
        try:
            loaded = await asyncio.to_thread(self._load)
        except (NoModelError, EngineError, DamagedFileError, OSError) as error:
            self._seen, self.reason = seen, str(error)
            if seen:
                REFUSED_MODELS.inc()
                LOG.warning("The new model is not taken: %s", error)
            return
        self._seen = seen
        if loaded is not None:
            self._take(loaded)

    def _take(self, loaded: Loaded) -> None:
        before, self._loaded = self._loaded, loaded
        if before is not None:
            before.close()
            CHANGES.inc()
        MODEL.clear()
        MODEL.labels(loaded.model.file.name, loaded.model.engine.name).set(1)
        LOG.info("%s answers, on %s", loaded.model.file.name, loaded.model.engine.name)

    def _load(self) -> Loaded | None:
        """The model as it is now; None where it already answers."""
        choice = self._choice
        file = find_model(choice.store, choice.named, choice.form, choice.preparation, choice.champion)
        if self._loaded is not None and self._loaded.model.file == file:
            return None
        return Loaded(file, choice.threads, self._limits)

    def _identity(self) -> tuple[int, ...]:
        """Changes whenever the watched file is replaced; empty where there is none."""
        path = self._choice.named or champion_folder(self._choice.store, self._choice.champion) / "current.json"
        try:
            found = path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size
