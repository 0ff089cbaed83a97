"""The workers of a Dask cluster, as this run's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import logging
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import cast

from distributed import Client, KilledWorker, Worker
from distributed.utils import CancelledError

from mnist_models.foundation.arithmetic import arithmetic_here
from mnist_models.foundation.files import write_atomic
from tasks.cluster.worker import BEGUN, REFUSED, Admission, reasons_against, work
from tasks.workers.interface import P, R, Turn, WorkerDiedError, WorkersClosedError, Workplace
from tasks.workers.turns import Turns

LOG = logging.getLogger(__name__)
CONNECT_TIMEOUT = 10.0  # seconds
CLOSE_TIMEOUT = 5.0  # seconds
COUNT_SECONDS = 2.0  # between two counts of the workers that there are
CANCELLED = (CancelledError, concurrent.futures.CancelledError, asyncio.CancelledError)


class ClusterError(RuntimeError):
    """There is no such cluster, or none of its workers computes what this machine does."""


class DaskWorkers:
    """Those workers of a Dask cluster that compute what this machine does; some may come and go.

    No more is given to the scheduler than there are workers, so that what is most urgent is always what is next.

    Args:
        place: With the scheduler's address.
        lost: Called when the scheduler is gone.

    Raises:
        ClusterError: If the scheduler does not answer, or no worker will do.
    """

    def __init__(self, place: Workplace, lost: Callable[[], None]) -> None:
        self._place = place
        self._lost = lost
        self._run = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()
        self._begun: dict[int, Callable[[], None]] = {}
        self._closed = threading.Event()
        self._client = _connect(str(place.cluster))
        self._admission = Admission(arithmetic_here(), _mark(place))
        try:
            self._admit()
        except BaseException:
            self._client.close()
            raise
        self._turns = Turns(self.count)
        threading.Thread(target=self._count_again, daemon=True, name="cluster").start()

    @property
    def dashboard(self) -> str:
        """Address of the cluster's own page."""
        return str(self._client.dashboard_link)

    def run(self, turn: Turn, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a function on a free worker; where that dies, Dask gives it to another, which goes on."""
        self._turns.take(turn.priority)
        number = next(self._numbers)
        self._begun[number] = turn.begun
        try:
            future = self._client.submit(
                work, self._run, number, functools.partial(function, *args, **kwargs),
                key=f"{getattr(function, '__name__', 'work')}-{self._run}-{number}",
                resources={self._admission.resource: 1.0, **dict(self._place.resources)},
                pure=False,
            )  # fmt: skip
            return cast(R, future.result())
        except KilledWorker as error:
            raise WorkerDiedError(f"several workers died of it ({error})") from error
        except CANCELLED as error:
            self._lose()
            raise WorkersClosedError("the run is stopping") from error
        finally:
            self._begun.pop(number, None)
            self._turns.give_back()

    def close(self) -> None:
        """Gives up all work; workers that are in the middle of some leave it within a second or two."""
        if not self._closed.is_set():
            self._closed.set()
            self._turns.close()
            threading.Thread(target=self._client.close, kwargs={"timeout": CLOSE_TIMEOUT}, daemon=True).start()

    def _lose(self) -> None:
        """The scheduler is gone: what it knew is lost, so this run ends; the next finds all that was finished."""
        if not self._closed.is_set():
            LOG.error("The scheduler at %s is gone.", self._place.cluster)
            self._lost()

    def _admit(self) -> None:
        """Has each worker look at itself, and says which will not do."""
        client, admission = self._client, self._admission
        client.subscribe_topic(REFUSED, lambda event: _refuse(*event[1]))
        client.subscribe_topic(f"{BEGUN}-{self._run}", lambda event: self._begin(event[1]))
        try:
            found = client.run(_look, admission)
            client.register_plugin(admission)
        except Exception as error:
            raise ClusterError(
                f"Expected workers at {self._place.cluster} with this version of the project installed. "
                f"Received: {type(error).__name__}: {error}"
            ) from error
        for address, reasons in found.items():
            if reasons:
                _refuse(address, reasons)
        self.count = self._count()
        if found and not self.count:
            raise ClusterError(
                f"Expected a worker at {self._place.cluster} that computes what this machine does. "
                f"Received: {len(found)} that do not: {'; '.join(next(iter(found.values())))}"
            )

    def _begin(self, number: int) -> None:
        self._begun.pop(number, lambda: None)()

    def _count(self) -> int:
        needed = {self._admission.resource: 1.0, **dict(self._place.resources)}
        # not by `scheduler_info`, whose answer the client may replace, before it is read, by one without workers
        workers = self._client.sync(self._client.scheduler.identity, n_workers=-1)["workers"].values()
        return sum(all(w["resources"].get(name, 0) >= least for name, least in needed.items()) for w in workers)

    def _count_again(self) -> None:
        while not self._closed.wait(COUNT_SECONDS):
            try:
                count = self._count()
            except Exception:  # whatever the lost connection raises: those who wait for results are told
                continue
            if count != self.count:
                LOG.info("cluster  %d workers", count)
                self.count = count
                self._turns.resize(count)


def _connect(address: str) -> Client:
    """Connects in a thread: where something else listens, Dask may wait for ever."""
    connected: concurrent.futures.Future[Client] = concurrent.futures.Future()

    def connect() -> None:
        try:
            client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False, name="mnist-models")
            connected.set_result(client)
        except BaseException as error:
            connected.set_exception(error)

    threading.Thread(target=connect, daemon=True, name="connect").start()
    try:
        return connected.result(CONNECT_TIMEOUT + CLOSE_TIMEOUT)
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"Expected a Dask scheduler at --cluster. Received: no answer from {address}") from error


def _mark(place: Workplace) -> Path | None:
    """Writes the file by which workers know a store that is a folder: who does not see it would train for nobody."""
    if place.store is None:
        return None
    mark = place.store / "locks" / "cluster"
    write_atomic(mark, b"")
    return mark


def _look(admission: Admission, dask_worker: Worker | None = None) -> list[str]:
    assert dask_worker is not None, "Dask fills it in"
    return reasons_against(dask_worker, admission.expected, admission.mark)


def _refuse(address: str, reasons: list[str]) -> None:
    LOG.warning("cluster  %s is refused: %s", address, "; ".join(reasons))
