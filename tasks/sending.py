"""Words to Prefect's server that no training waits for: one thread says them, in order; what fails is left unsaid.

Nothing depends on them: they are what people look at, while results lie in the store.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue

from prefect.client.orchestration import SyncPrefectClient, get_client

LOG = logging.getLogger(__name__)
SECONDS = 5.0  # that the end of a run waits for what was not said yet
Word = Callable[[SyncPrefectClient], object]

_words: SimpleQueue[Word] = SimpleQueue()
_start_lock = threading.Lock()
_thread: threading.Thread | None = None


def send(word: Word) -> None:
    """Has something said to the server soon.

    Args:
        word: Called with a client of the server, in a thread of its own; may fail.
    """
    global _thread
    with _start_lock:
        if _thread is None:
            _thread = threading.Thread(target=copy_context().run, args=(_run,), daemon=True, name="sending")
            _thread.start()
    _words.put(word)


def wait_until_sent(timeout: float = SECONDS) -> bool:
    """Waits until all that was to be said before this call is said; returns whether it is, after so many seconds."""
    done = threading.Event()
    send(lambda client: done.set())
    return done.wait(timeout)


def _run() -> None:
    with contextlib.ExitStack() as stack:
        client: SyncPrefectClient | None = None
        while True:
            word = _words.get()
            try:
                client = client or stack.enter_context(get_client(sync_client=True))
                word(client)
            except Exception as error:  # whatever it is, the run is worth more than what people see of it
                LOG.debug("could not be shown: %s: %s", type(error).__name__, error)
