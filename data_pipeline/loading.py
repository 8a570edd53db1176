"""Batches of states, read ahead by threads into memory that goes round, in the order that the caller gives."""

from __future__ import annotations

import math
import os
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from data_pipeline.scaling import Scaling

    Positions = NDArray[np.integer]

DEPTH = 3
"""Batches that are read while the caller works on one."""

MOST_THREADS = 16
_LONGEST_RUN = 64


class States(Protocol):
    """Arrays of one shape and dtype, known by their position along time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one state."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one state."""

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        """Fill ``outs`` with the states from position ``time`` on; called from many threads at once."""


@dataclass(frozen=True)
class PhysicalStates:
    """Stored states (channel, latitude, longitude) as float32 in physical units, decoded by the reading thread."""

    stored: States
    scaling: Scaling

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one state: that of the stored one."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one state: float32."""
        return np.dtype(np.float32)

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        """As ``Scaling.decode``, the same bits."""
        raw = np.empty((len(outs), *self.stored.shape), dtype=self.stored.dtype)
        self.stored.read_into(time, *raw)
        for out, state in zip(outs, raw, strict=True):
            np.multiply(state, self.scaling.scale[:, None, None], out=out)
            np.add(out, self.scaling.offset[:, None, None], out=out)


@dataclass(frozen=True)
class HeldStates:
    """States in memory: (time, channel, latitude, longitude)."""

    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one state."""
        return self.values.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one state."""
        return self.values.dtype

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        """Copy the states from position ``time`` on."""
        for out, state in zip(outs, self.values[time : time + len(outs)], strict=True):
            out[...] = state


class Buffers:
    """Arrays that go round: one is lent again as soon as nobody holds it, or a part of it, any more.

    Parameters
    ----------
    allocate
        Makes an array of a shape and a dtype where there is no free one: ``np.empty``, or one in pinned memory.
    """

    def __init__(self, allocate: Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]] = np.empty) -> None:
        self._allocate = allocate
        self._free: dict[tuple[tuple[int, ...], np.dtype[Any]], list[NDArray[Any]]] = {}

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of any content; keep it as long as you like."""
        free = self._free.setdefault((shape, dtype), [])
        try:
            buffer = free.pop()
        except IndexError:
            buffer = self._allocate(shape, dtype)
        lent = np.asarray(buffer.data)  # its views keep it alive, where those of ``buffer`` would keep only that
        weakref.finalize(lent, free.append, buffer).atexit = False
        return lent


def load(
    sources: Sequence[States], order: Iterable[Sequence[Positions]], *,
    threads: int | None = None, depth: int = DEPTH, buffers: Buffers | None = None,
) -> Iterator[tuple[NDArray[Any], ...]]:  # fmt: skip
    """Read batch after batch, ``depth`` of them ahead of the caller; the threads end with the iteration, or its close.

    Parameters
    ----------
    order
        For each batch and each source, the positions to read, of any shape; taken in this order by the calling thread.
    threads
        By default one for each core, at most MOST_THREADS.

    Yields
    ------
    For each source an array (*positions.shape, *state.shape).

    Raises
    ------
    DataError
        What a source raised in a thread, when its batch is due.
    """
    buffers, workers = buffers or Buffers(), threads or default_threads()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="loading")
    ahead: deque[_Batch] = deque()
    try:
        for positions in order:
            ahead.append(_Batch.start(pool, workers, sources, positions, buffers))
            if len(ahead) > depth:
                yield ahead.popleft().wait()
        while ahead:
            yield ahead.popleft().wait()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Batch:
    """Arrays and the tasks that fill them."""

    arrays: tuple[NDArray[Any], ...]
    tasks: list[Future[None]]

    @classmethod
    def start(
        cls, pool: ThreadPoolExecutor, parts: int, sources: Sequence[States], positions: Sequence[Positions],
        buffers: Buffers,
    ) -> _Batch:  # fmt: skip
        arrays = tuple(
            buffers.lend((*places.shape, *source.shape), source.dtype)
            for source, places in zip(sources, positions, strict=True)
        )
        tasks = [
            pool.submit(_read, source, places, rows, array)
            for source, places, array in zip(sources, positions, arrays, strict=True)
            for rows in np.array_split(np.argsort(places, axis=None, kind="stable"), max(1, min(parts, places.size)))
        ]
        return cls(arrays, tasks)

    def wait(self) -> tuple[NDArray[Any], ...]:
        for task in self.tasks:
            task.result()
        return self.arrays


def _read(source: States, positions: Positions, rows: NDArray[np.intp], out: NDArray[Any]) -> None:
    """The states of some ``rows`` of the flattened positions, which come in the order of the file.

    Those that lie side by side are read together: each call costs a struggle for Python's lock.
    """
    flat, order = out.reshape(positions.size, *source.shape), rows.tolist()
    times = positions.ravel()[rows].tolist()
    for run in _runs(times):
        source.read_into(times[run.start], *(flat[row] for row in order[run]))


def _runs(times: list[int]) -> Iterator[slice]:
    """Where each next time is the one before plus one."""
    start = 0
    for stop in range(1, len(times) + 1):
        if stop == len(times) or times[stop] != times[stop - 1] + 1 or stop - start == _LONGEST_RUN:
            yield slice(start, stop)
            start = stop


def in_turn(first: int, stop: int, source: States, bytes_at_once: int = 2**26) -> Iterator[tuple[Positions]]:
    """The order that reads the states ``first``..``stop`` - 1 once, in batches of about ``bytes_at_once``."""
    each = max(1, bytes_at_once // (math.prod(source.shape) * source.dtype.itemsize))
    for start in range(first, stop, each):
        yield (np.arange(start, min(start + each, stop)),)


def default_threads() -> int:
    """Cores that this process may use, at most MOST_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_THREADS)
