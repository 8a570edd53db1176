"""Training samples as tensors: two past states, the forcings of the step, and the state to be forecast."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_pipeline.errors import DataError
from data_pipeline.flat_cache import flatten
from data_pipeline.forcings import FORCING_NAMES, forcings
from data_pipeline.loading import Buffers, HeldStates, default_threads, in_turn, load
from data_pipeline.residence import Residence, choose_residence, free_memory
from data_pipeline.times import HOUR, hour_of_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.config import Period
    from data_pipeline.grid import Grid
    from data_pipeline.loading import States
    from data_pipeline.store import TrainingStore


class Request(NamedTuple):
    """Which samples (batch,), how many steps of them, and how many hours a step has; None: as many as the dataset's."""

    indices: Tensor
    steps: int = 1
    hours: int | None = None


class Sample(NamedTuple):
    """Physical states (batch, channel, latitude, longitude) one step apart, and what is to be forecast from them.

    ``following`` and ``forcings``, those of the steps, have the step as their first dimension; ``hour`` (step, batch)
    is the hour of the day, UTC, at the end of each step.
    """

    previous: Tensor
    current: Tensor
    following: Tensor
    forcings: Tensor
    hour: Tensor


class StoreDataset:
    """All samples of a period of a store, the same bits wherever they live.

    Parameters
    ----------
    step
        The forecast step, and the time between the two states that are known; a multiple of the store's interval.
    reach
        How far the steps of a request may go; by default one step. Only samples whose states are all there count.
    residence
        Where the states live, as they are stored: in ``memory``, on the ``device``, or on ``disk``, where they are
        read when they are needed. By default in memory if they fit in half of what is free, else on disk; so too
        where the device has no room. ``describe`` says what was chosen.
    device
        Where the samples are wanted, and where half-precision stores become physical units.
    flat_cache
        A file of uncompressed states, made at first use, to read from instead of the store (see ``flatten``).
    threads
        That read; by default one for each core.

    Raises
    ------
    DataError
        If the step is no multiple of the interval, the period holds fewer than the three states of one sample, a
        channel has missing values, or the store is damaged.
    """

    def __init__(
        self, store: TrainingStore, period: Period, step: np.timedelta64, *, reach: np.timedelta64 | None = None,
        residence: Residence | None = None, device: torch.device | str = "cpu", flat_cache: Path | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        self.interval = store.interval
        self.lag = _lag(step, store.interval)
        self._span = self.lag + _lag(step if reach is None else reach, store.interval)
        inside = np.flatnonzero(period.contains(store.times))
        if len(inside) < self._span + 1:
            raise DataError(
                f"the period {period.start}..{period.stop} holds {len(inside)} states of {store.path}, "
                f"expected at least {self._span + 1}; choose a longer one"
            )
        _refuse_gaps(store)
        self.grid, self.step, self.path = store.grid, step, store.path
        self.times = store.times[inside[0] : inside[-1] + 1]
        self.device = torch.device(device)
        self._first = int(inside[0])
        self._threads = threads or default_threads()
        self._buffers = Buffers(_pinned) if self.device.type == "cuda" else Buffers()
        self._stored: States = flatten(store, flat_cache, threads=threads) if flat_cache else store.shards
        self._scaling = _scaling(store, self.device)
        self._forcings = _Forcings(self.times, store.interval, store.grid)
        self._tables: dict[int, Tensor] = {}
        self._settle(residence)

    def _settle(self, asked: Residence | None) -> None:
        size = len(self.times) * math.prod(self._stored.shape) * self._stored.dtype.itemsize
        if asked == "device":  # where the forcings of steps lie too
            size += len(self.times) * math.prod(self._forcings.shape) * self._forcings.dtype.itemsize
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's on this machine: each holds its own
        free, free_on_device = free_memory() // processes, _free_on(self.device)
        self.residence = choose_residence(size, asked, free, free_on_device)
        self._room = f"{size / 1e9:.3g} GB, {free / 1e9:.3g} GB of memory free"
        if asked == "device":
            self._room += f", {free_on_device / 1e9:.3g} GB free on {self.device}"
        self._held = None if self.residence == "disk" else self._hold()
        if self._held is not None and self._held.device.type == "cpu":
            self._stored, self._first = HeldStates(self._held.numpy()), 0

    def _hold(self) -> Tensor:
        where = self.device if self.residence == "device" else torch.device("cpu")
        dtype = torch.from_numpy(np.empty(0, self._stored.dtype)).dtype
        held = torch.empty((len(self.times), *self._stored.shape), dtype=dtype, device=where)
        order = in_turn(self._first, self._first + len(self.times), self._stored)
        done = 0
        for (states,) in load((self._stored,), order, threads=self._threads):
            held[done : done + len(states)] = torch.from_numpy(states)
            done += len(states)
        return held

    def describe(self) -> str:
        """One line: how many samples there are, where they live, and how much room they take."""
        where = {
            "memory": "in memory",
            "device": f"on {self.device}",
            "disk": f"on disk, read by {self._threads} threads",
        }
        return f"{len(self)} samples of {self.path} {where[self.residence]} ({self._room})"

    def __len__(self) -> int:
        return len(self.times) - self._span

    def batch(self, request: Request) -> Sample:
        """The samples that are asked for, each index in 0..len-1, on the device.

        Raises
        ------
        DataError
            If there is no such sample or step, or the store is damaged.
        """
        if self._held is None:
            return next(self._read([request]))
        positions = torch.from_numpy(self._positions(request))
        states = self._held[positions.to(self._held.device)].to(self.device)
        if self.residence == "device":
            return self._sample(states, self._table(request)[positions[2:].to(self.device)], positions.numpy())
        known = np.empty((*positions[2:].shape, *self._forcings.shape), self._forcings.dtype)
        for place, out in zip(self._known(request).ravel(), known.reshape(-1, *known.shape[2:]), strict=True):
            self._forcings.read_into(int(place), out)
        return self._sample(states, torch.from_numpy(known).to(self.device), positions.numpy())

    def batches(self, order: Iterable[Request]) -> Iterator[Sample]:
        """``batch`` of each element of ``order``, in turn; from memory and disk, the next ones are read meanwhile.

        Raises
        ------
        DataError
            As ``batch``, when the batch is due.
        """
        return map(self.batch, order) if self.residence == "device" else self._read(order)

    def _read(self, order: Iterable[Request]) -> Iterator[Sample]:
        """Threads fill memory, for a GPU pinned memory, from which it copies while it computes."""
        order, ahead = tee(order)
        places = ((self._positions(request) + self._first, self._known(request)) for request in ahead)
        loaded = load((self._stored, self._forcings), places, threads=self._threads, buffers=self._buffers)
        for request, arrays in zip(order, loaded, strict=True):
            states, known = (torch.from_numpy(array).to(self.device, non_blocking=True) for array in arrays)
            copied = torch.cuda.current_stream(self.device).record_event() if self.device.type == "cuda" else None
            yield self._sample(states, known, self._positions(request))
            if copied:
                copied.synchronize()  # before the threads may write where it copies from

    def _positions(self, request: Request) -> NDArray[np.int64]:
        """Of the states of each sample along ``times``: (2 + steps, batch)."""
        numbers = request.indices.cpu().numpy().astype(np.int64)
        outside = numbers[(numbers < 0) | (numbers >= len(self))]
        if outside.size:
            raise DataError(f"got sample {outside[0]} of {self.path}, expected one of 0..{len(self) - 1}")
        ahead = self._ahead(request) * np.arange(1, request.steps + 1)
        if ahead[-1] > self._span - self.lag:
            got, expected = (lags * self.interval / HOUR for lags in (ahead[-1], self._span - self.lag))
            raise DataError(f"got steps as far as {got:g} h, expected {expected:g} h at most; set a longer reach")
        places: NDArray[np.int64] = numbers + self.lag + np.array([-self.lag, 0, *ahead])[:, None]
        return places

    def _ahead(self, request: Request) -> int:
        return self.lag if request.hours is None else _lag(np.timedelta64(request.hours, "h"), self.interval)

    def _known(self, request: Request) -> NDArray[np.int64]:
        """Of the steps' forcings along ``_forcings``: (steps, batch)."""
        return self._positions(request)[2:] + self._ahead(request) * len(self.times)

    def _table(self, request: Request) -> Tensor:
        """Forcings (time, name, latitude, longitude) of steps of one length, on the device, computed once."""
        lags, count = self._ahead(request), len(self.times)
        if lags not in self._tables:
            table = np.empty((count, *self._forcings.shape), self._forcings.dtype)
            self._forcings.read_into(lags * count, *table)
            self._tables[lags] = torch.from_numpy(table).to(self.device)
        return self._tables[lags]

    def _sample(self, states: Tensor, known: Tensor, positions: NDArray[np.int64]) -> Sample:
        """Of stored ``states`` (2 + steps, batch, channel, latitude, longitude)."""
        hour = torch.from_numpy(hour_of_day(self.times[positions[2:]])).to(self.device)
        if self._scaling:
            scale, offset = self._scaling
            states = states.float().mul_(scale).add_(offset)  # in two roundings, as numpy does: no fused operation
        return Sample(states[0], states[1], states[2:], known, hour)


@dataclass(frozen=True)
class _Forcings:
    """The forcings of the step that ends at a time, as if they were stored, for steps of every length end to end.

    Those of steps of n intervals begin at position n * len(times).
    """

    times: NDArray[np.datetime64]
    interval: np.timedelta64
    grid: Grid

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(FORCING_NAMES), *self.grid.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        for position, out in enumerate(outs, time):
            lags, place = divmod(position, len(self.times))
            out[...] = forcings(self.times[place], lags * self.interval, self.grid)


def _lag(step: np.timedelta64, interval: np.timedelta64) -> int:
    if step < interval or step % interval:
        got, expected = (span / HOUR for span in (step, interval))
        raise DataError(f"got steps of {got:g} h, expected a multiple of the store's interval of {expected:g} h")
    return int(step // interval)


def _refuse_gaps(store: TrainingStore) -> None:
    """Land in the sea's temperature is NaN, and NaN in one channel makes NaN of every weight."""
    fraction = store.statistics.valid_fraction
    if fraction is not None and fraction.min() < 1:
        names = [f"{store.channels.names[i]} ({1 - fraction[i]:.1%})" for i in np.flatnonzero(fraction < 1)]
        raise DataError(f"{store.path} has missing values in {', '.join(names)}; build a store without these channels")


def _scaling(store: TrainingStore, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Scale and offset, (channel, 1, 1), of a half-precision store."""
    if store.scaling is None:
        return None
    scale, offset = (torch.from_numpy(values[:, None, None]) for values in (store.scaling.scale, store.scaling.offset))
    return scale.to(device), offset.to(device)


def _free_on(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()


def _pinned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    return torch.empty(shape, dtype=kind, pin_memory=True).numpy()
