"""Who does independent tasks: threads of this process, or an existing dask.distributed cluster."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from data_pipeline.errors import SphercastError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_SECONDS_TO_CONNECT = 8


@dataclass(frozen=True)
class Workers:
    """An executor, and what tells its threads that nobody waits for them any more; workers elsewhere have no ear."""

    pool: Executor
    stop: threading.Event | None = None
    client: Any = None

    def share(self, value: T) -> T:
        """What to pass to many tasks in place of a value, so that it is sent to a cluster once and not with each."""
        if self.client is None:
            return value
        self.client.wait_for_workers(1)
        everywhere: T = self.client.scatter(value, hash=False, broadcast=True)
        return everywhere


@contextmanager
def workers(threads: int | None, scheduler: str | None) -> Iterator[Workers]:
    """``threads`` of them (by default one a core), or the cluster whose scheduler is at that address.

    Raises
    ------
    SphercastError
        If no scheduler answers at the address.
    """
    if scheduler is not None:
        with _cluster(scheduler) as hands:
            yield hands
        return
    stop = threading.Event()
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        try:
            yield Workers(pool, stop)
        finally:
            stop.set()


@contextmanager
def _cluster(address: str) -> Iterator[Workers]:
    from distributed import Client  # noqa: PLC0415, it takes a second to import

    _require_scheduler(address)
    with (
        Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        client.get_executor(pure=False) as pool,
    ):
        yield Workers(cast("Executor", pool), client=client)


def _require_scheduler(address: str) -> None:
    """Ask who is there before dask's client does, which tells in pages what is wrong with an address."""
    try:
        asyncio.run(asyncio.wait_for(_meet(address), _SECONDS_TO_CONNECT + 1))
    except Exception as error:  # of any kind, even MemoryError, where something else than dask answers
        reason = " ".join(str(error).split()) or "what answers does not speak as one"
        raise SphercastError(
            f"no dask scheduler answers at {address} ({reason}); start one with 'dask scheduler', or leave "
            "--scheduler out to work on this machine"
        ) from error


async def _meet(address: str) -> None:
    from distributed.core import rpc  # noqa: PLC0415

    async with rpc(address, timeout=_SECONDS_TO_CONNECT) as remote:  # type: ignore[no-untyped-call]
        found: Any = await remote.identity()
    if found["type"] != "Scheduler":
        raise ValueError(f"a {found['type'].lower()} does")


def result_of(future: Future[T]) -> T:
    """What a task returned; what went wrong with its worker, and not with its work, as a SphercastError."""
    try:
        return future.result()
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"concurrent", "distributed"}:
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SphercastError(f"a worker failed ({reason}); see its log, and run the same command again") from error
