"""Training samples as tensors: two past states, the forcings of the step, and the state to be forecast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_pipeline.errors import DataError
from data_pipeline.flat_cache import flatten
from data_pipeline.forcings import FORCING_NAMES, forcings
from data_pipeline.loading import Buffers, HeldStates, default_threads, in_turn, load
from data_pipeline.residence import Residence, choose_residence, free_memory
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.config import Period
    from data_pipeline.grid import Grid
    from data_pipeline.loading import States
    from data_pipeline.store import TrainingStore


class Sample(NamedTuple):
    """Physical states (batch, channel, latitude, longitude) one step apart, and forcings of the last step."""

    previous: Tensor
    current: Tensor
    following: Tensor
    forcings: Tensor


class StoreDataset:
    """All samples of a period of a store, the same bits wherever they live.

    Parameters
    ----------
    step
        The forecast step; a multiple of the store's interval.
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
        self, store: TrainingStore, period: Period, step: np.timedelta64, *, residence: Residence | None = None,
        device: torch.device | str = "cpu", flat_cache: Path | None = None, threads: int | None = None,
    ) -> None:  # fmt: skip
        self.lag = _lag(step, store.interval)
        inside = np.flatnonzero(period.contains(store.times))
        if len(inside) < 2 * self.lag + 1:
            raise DataError(
                f"the period {period.start}..{period.stop} holds {len(inside)} states of {store.path}, "
                f"expected at least {2 * self.lag + 1}; choose a longer one"
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
        self._forcings = _Forcings(self.times, step, store.grid)
        self._settle(residence)

    def _settle(self, asked: Residence | None) -> None:
        size = len(self.times) * math.prod(self._stored.shape) * self._stored.dtype.itemsize
        free, free_on_device = free_memory(), _free_on(self.device)
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
        return len(self.times) - 2 * self.lag

    def batch(self, indices: Tensor) -> Sample:
        """The samples at ``indices`` (batch,), each in 0..len-1, on the device.

        Raises
        ------
        DataError
            If there is no such sample, or the store is damaged.
        """
        if self._held is None:
            return next(self._read([indices]))
        positions = torch.from_numpy(self._positions(indices))
        known = [self._forcings.at(position) for position in positions[2].tolist()]
        states = self._held[positions.to(self._held.device)].to(self.device)
        return self._sample(states, torch.from_numpy(np.stack(known)).to(self.device))

    def batches(self, order: Iterable[Tensor]) -> Iterator[Sample]:
        """``batch`` of each element of ``order``, in turn; from memory and disk, the next ones are read meanwhile.

        Raises
        ------
        DataError
            As ``batch``, when the batch is due.
        """
        return map(self.batch, order) if self.residence == "device" else self._read(order)

    def _read(self, order: Iterable[Tensor]) -> Iterator[Sample]:
        """Threads fill memory, for a GPU pinned memory, from which it copies while it computes."""
        places = (self._positions(indices) for indices in order)
        pairs = ((positions + self._first, positions[2]) for positions in places)
        for arrays in load((self._stored, self._forcings), pairs, threads=self._threads, buffers=self._buffers):
            states, known = (torch.from_numpy(array).to(self.device, non_blocking=True) for array in arrays)
            copied = torch.cuda.current_stream(self.device).record_event() if self.device.type == "cuda" else None
            yield self._sample(states, known)
            if copied:
                copied.synchronize()  # before the threads may write where it copies from

    def _positions(self, indices: Tensor) -> NDArray[np.int64]:
        """Of the three states of each sample along ``times``: (3, batch)."""
        numbers = indices.cpu().numpy().astype(np.int64)
        outside = numbers[(numbers < 0) | (numbers >= len(self))]
        if outside.size:
            raise DataError(f"got sample {outside[0]} of {self.path}, expected one of 0..{len(self) - 1}")
        return numbers + self.lag * np.arange(3)[:, None]

    def _sample(self, states: Tensor, known: Tensor) -> Sample:
        """Of stored ``states`` (3, batch, channel, latitude, longitude)."""
        if self._scaling:
            scale, offset = self._scaling
            states = states.float().mul_(scale).add_(offset)  # in two roundings, as numpy does: no fused operation
        return Sample(states[0], states[1], states[2], known)


@dataclass(frozen=True)
class _Forcings:
    """The forcings of the step that ends at a time, as if they were stored."""

    times: NDArray[np.datetime64]
    step: np.timedelta64
    grid: Grid

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(FORCING_NAMES), *self.grid.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def at(self, position: int) -> NDArray[np.float32]:
        return forcings(self.times[position], self.step, self.grid)

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        for position, out in enumerate(outs, time):
            out[...] = self.at(position)


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
