"""Where Dask workers come from: this machine, or a cluster that is already there."""

from __future__ import annotations

import contextlib
import logging
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, final

from distributed import Client, LocalCluster

from spiketune.errors import InputError

LOOPBACK: Final = "127.0.0.1"
CONNECT_S: Final = 10.0
_FIRST_WORKER_S: Final = 30.0
_COUNT_EVERY_S: Final = 5.0
_REPLACE_EVERY_S: Final = 5.0
CLOSE_S: Final = 30.0


class DaskWorkers(ABC):
    """A Dask scheduler with its workers.

    Attributes:
        client: Connected to the scheduler.
        outlive: Whether workers may go on when this process dies.
    """

    client: Client
    outlive: bool

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """Attempts that can run at once."""

    @abstractmethod
    def begin(self, study_folder: Path) -> None:
        """Get ready for the first submission."""

    def check(self) -> None:
        """Tell of what is wrong with the workers; called while they are waited for.

        Raises:
            InputError: If there will never be any.
        """
        return

    @abstractmethod
    def close(self) -> None:
        """Give everything back that this process started."""


@final
class LocalWorkers(DaskWorkers):
    """Worker processes on this machine, reachable from this machine alone.

    Args:
        n_workers: How many; each runs one attempt at a time.
    """

    outlive = False

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0",
            memory_limit=0,  # attempts are children: a worker itself needs next to nothing
            silence_logs=logging.CRITICAL,
        )
        self.client = Client(self._cluster, set_as_default=False)
        self._checked_s = time.monotonic()

    @property
    def n_workers(self) -> int:
        """As configured; a worker that dies is started again."""
        return self._n_workers

    def check(self) -> None:
        """Replace workers that Dask gave up, since on a busy machine they took long to restart."""
        if time.monotonic() - self._checked_s >= _REPLACE_EVERY_S:
            self._checked_s = time.monotonic()
            if len(self._cluster.workers) < self._n_workers:
                self._cluster.scale(self._n_workers)

    def begin(self, study_folder: Path) -> None:
        """Nothing to do: the workers are there."""

    def close(self) -> None:
        """End scheduler and workers, in bounded time: workers die with this process anyway."""
        with contextlib.suppress(TimeoutError):
            self.client.close()
        with contextlib.suppress(TimeoutError):
            self._cluster.close(timeout=CLOSE_S)


@final
class ExistingWorkers(DaskWorkers):
    """The workers of a cluster that someone else started and goes on using.

    Args:
        address: Of its scheduler (`tcp://host:8786`).

    Raises:
        InputError: If nobody answers there, or it has no worker.
    """

    outlive = True

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            self.client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"study.executor.address: no Dask scheduler answers at {address} within "
                f"{CONNECT_S:g} s ({error}); start one with `dask scheduler`, or correct it"
            ) from None
        self._n_workers, self._counted_s = 0, float("-inf")
        deadline_s = time.monotonic() + _FIRST_WORKER_S
        while not self._count():
            if time.monotonic() > deadline_s:
                self.client.close()
                raise InputError(
                    f"study.executor.address: the Dask cluster at {address} has no worker; start "
                    f"some with `dask worker {address} --nthreads 1`"
                )
            time.sleep(0.2)

    def _count(self) -> int:
        self._counted_s = time.monotonic()
        if self.client.status != "running":
            return self._n_workers
        try:
            self._n_workers = sum(self.client.nthreads().values())
        except (OSError, TimeoutError, RuntimeError):
            return self._n_workers  # it is being reconnected, or gone; the last answer stands
        return self._n_workers

    @property
    def n_workers(self) -> int:
        """Threads of all workers now; at least one, that work waits for workers to come back."""
        if time.monotonic() - self._counted_s >= _COUNT_EVERY_S:
            self._count()
        return max(1, self._n_workers)

    def begin(self, study_folder: Path) -> None:
        """Nothing to do: the workers are there."""

    def close(self) -> None:
        """Leave; the cluster stays as it is."""
        with contextlib.suppress(TimeoutError):
            self.client.close()
