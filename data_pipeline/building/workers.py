"""Who does independent tasks: threads of this process, or an existing dask.distributed cluster."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from data_pipeline.errors import SphercastError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_SECONDS_TO_CONNECT = 10


@contextmanager
def workers(threads: int | None, scheduler: str | None) -> Iterator[Executor]:
    """An executor: ``threads`` of them (by default one a core), or the cluster whose scheduler is at that address.

    Raises
    ------
    SphercastError
        If no scheduler answers at the address.
    """
    if scheduler is None:
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            yield pool
        return
    from distributed import Client  # noqa: PLC0415, it takes a second to import

    try:
        client = Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SphercastError(
            f"no dask scheduler answers at {scheduler} ({error}); start one with 'dask scheduler', or leave "
            "--scheduler out to work on this machine"
        ) from error
    with client, client.get_executor(pure=False) as pool:  # type: ignore[no-untyped-call]
        yield cast("Executor", pool)


def result_of(future: Future[T]) -> T:
    """What a task returned; what went wrong with its worker, and not with its work, as a SphercastError."""
    try:
        return future.result()
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"concurrent", "distributed"}:
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SphercastError(f"a worker failed ({reason}); see its log, and run the same command again") from error
