"""Where `benchmarks.durability.chaos --cluster` trains: Dask's workers on machines that share nothing but objects."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.durability.chaos_kills import CLUSTER_MARK, HOOKS, ROOT, Kill, Runs, wait_for
from mnist_models.foundation.store import Store
from mnist_models.objects.opening import open_objects
from tests.clusters import Cluster
from tests.machines import address, machines
from tests.s3_server import S3Server

LEFT = 30.0  # seconds in which workers leave what nobody waits for
AWAY = 20.0  # seconds for which the server of objects is stopped
CUT = 30.0  # seconds for which a machine's network is cut
PATIENCE = {  # shorter than the deployments', so that a machine is given up within the cut
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s",
}


class TorturedCluster:
    """A scheduler and workers, which are started again when they end, and a server of S3.

    Each worker has a network (where that is permitted) and a folder of its own.

    Args:
        folder: Of the runs that it trains for; logs lie beside it.
        workers: How many.

    Attributes:
        address: Of the scheduler.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)  # the hooks look for it as the processes start
        self._folder = folder
        self._begun = 0
        self._made = contextlib.ExitStack()
        self._places = self._made.enter_context(machines(*range(31, 31 + workers)))
        here = address(self._places)
        self._objects = S3Server(folder.with_name("objects"), here)
        os.environ.update(self._objects.environment)  # this process looks at what the runs leave
        environment = {
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}", "CHAOS_FOLDER": str(folder), CLUSTER_MARK: "1",
            **PATIENCE, **self._objects.environment,
        }  # fmt: skip
        self._cluster = Cluster(folder.with_name("cluster"), here, **environment)
        self.address = self._cluster.address
        for number, place in enumerate(self._places):
            copies = folder.with_name("cluster") / f"copies-{number}"
            self._cluster.add_worker(machine=place, XDG_CACHE_HOME=str(copies))
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="keeper")
        self._keeper.start()

    def runs(self) -> Runs:
        """A store that is empty, and a machine for the flow."""
        self._begun += 1
        return RunsElsewhere(self._folder, self.address, f"s3://chaos/{self._begun}", self._objects.environment)

    def strike(self, kill: Kill, chance: random.Random) -> bool:
        """Does what is to be done to it, and undoes what can be; says whether there was anything to be hit."""
        if kill.target == "objects":
            self._objects.stop()
            time.sleep(AWAY)
            self._objects.start()
        elif kill.target == "network":
            place = chance.choice(self._places)
            if place is None:
                return False
            with place.cut():
                time.sleep(CUT)
        elif kill.target == "scheduler":
            os.killpg(self._cluster.scheduler.pid, kill.number)
            self._cluster.scheduler.wait()
            time.sleep(chance.uniform(0, 5))
            self._cluster.start_scheduler()
        else:
            victims = self._training()
            if not victims:
                return False
            os.kill(chance.choice(victims), kill.number)
        return True

    def is_idle(self) -> bool:
        """Whether its workers left all work in time."""
        from distributed import Client

        with Client(self.address, set_as_default=False, timeout=LEFT) as client:
            return wait_for(lambda: not any(client.processing().values()), LEFT)

    def close(self) -> None:
        """Ends all processes, and takes the machines away."""
        self._closing.set()
        self._keeper.join()
        self._cluster.close()
        self._objects.stop()
        self._made.close()

    def _keep(self) -> None:
        while not self._closing.wait(1.0):
            self._cluster.revive()

    def _training(self) -> list[int]:
        """The processes that train: their nannies' children."""
        nannies = [nanny.pid for nanny in self._cluster.workers]
        return [child for nanny in nannies for child in _children(nanny) if b"spawn_main" in _command(child)]


class RunsElsewhere(Runs):
    """Runs whose store is objects.

    Args:
        folder: Of the flow's copies, Prefect's home and the log.
        scheduler: Address of the cluster.
        store: s3://bucket/prefix.
        environment: By which the server of objects is found.
    """

    def __init__(self, folder: Path, scheduler: str, store: str, environment: dict[str, str]) -> None:
        super().__init__(folder)
        self.options = [f"--store={store}", f"--cluster={scheduler}"]
        self.environment = {**environment, "XDG_CACHE_HOME": str(folder)}
        os.environ["XDG_CACHE_HOME"] = str(folder)  # as above
        self._store, self._objects = Store(store), open_objects(store)
        self._objects.put("begun", b"", over=None)  # which makes the bucket
        self.root = self._store.root

    def results(self) -> Iterator[tuple[str, bytes]]:
        """Yields those that other machines see."""
        for name, _ in self._objects.sizes("results"):
            if found := self._objects.get(name):
                yield Path(name).name, found.data

    def bring(self) -> None:
        """Brings weights and checkpoints to this machine's copies."""
        for what in ("weights", "checkpoints"):
            self._store.fetch(what)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
