"""How many members fit in memory: the peak of one step, and what is held from one step to the next."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from data_pipeline.building.room import shown_size
from data_pipeline.errors import ConfigError
from data_pipeline.residence import free_memory
from forecast.batches import Plan, batches_of, even_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.forecaster import Forecaster

MOST_TOGETHER = {"cpu": 10, "cuda": 100}
"""Members of one batch: more at once are hardly faster, and a killed run repeats one step of a batch."""

_SHARE = 0.8
"""Of the memory that is found free; the rest is for other processes, and for what a device's libraries take."""
_LOADED_LATER = 60_000_000
"""Bytes that the libraries of the network and of the files take at their first use, measured with the demo."""
_BESIDE = 6
"""States of every member of one batch: noise, and what is on its way to the disk as fields, encoded, for a resume."""
_HEAP = 32 * 2**20
"""Bytes; glibc serves smaller pieces from a heap whose holes it cannot always use again (mallopt(3)), larger ones not.
Measured with the shipped network, the holes take half as much again as the pieces."""


def plan_batches(
    forecaster: Forecaster, members: int, steps: int, *, batch: int | None = None, memory: int | None = None,
    workers: int = 1, held: int = 2,
) -> Plan:  # fmt: skip
    """Batches of ``batch`` members, or of as many as fit in memory and at least one for each of ``workers``.

    ``memory`` is in bytes, of this process in all or of its GPU; without it, most of what is free is taken. ``held``
    states of every member that is under way are held (``Stepping.held``).

    Raises
    ------
    ConfigError
        If not one member fits, or not one batch of ``batch``.
    """
    room = Room(forecaster, memory, held)
    if batch is not None:
        size = min(batch, members)
        if memory is None:
            return Plan(room.grouped(batches_of(members, size), room.free // 2), steps)
        room.require(size)
        return Plan(room.grouped(batches_of(members, size), room.batch(size)), steps)
    size = max(min(MOST_TOGETHER[forecaster.static.device.type], members, room.most_members()), 1)
    room.require(size)
    return Plan(room.grouped(even_batches(members, size, workers), room.batch(size)), steps)


@dataclass(frozen=True)
class Room:
    """Memory for the members of ``forecaster``; ``asked`` as ``memory`` of ``plan_batches``, and ``held`` as there."""

    forecaster: Forecaster
    asked: int | None
    held: int = 2

    @cached_property
    def free(self) -> int:
        """Bytes for members, beside what the process takes already."""
        device = self.forecaster.static.device
        if device.type == "cuda":
            return self.asked or int(_SHARE * torch.cuda.mem_get_info(device)[0])
        if self.asked is not None:
            return self.asked - _resident() - _LOADED_LATER
        of_torchrun = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return int(_SHARE * free_memory()) // of_torchrun - _LOADED_LATER

    @cached_property
    def state(self) -> int:
        """Bytes of one state of one member."""
        return 4 * len(self.forecaster.channels) * int(np.prod(self.forecaster.grid.shape))

    @cached_property
    def _step(self) -> tuple[int, int]:
        """Bytes that a step takes for any number of members, and for each of them: a straight line through 1 and 2."""
        step_bytes(self.forecaster, 1)  # which puts constants in their place, as only the first step does
        one, two = (step_bytes(self.forecaster, members) for members in (1, 2))
        return 2 * one - two, two - one

    def batch(self, members: int) -> int:
        """Bytes that a batch takes at work, beside the states that it holds between its steps."""
        shared, each = self._step
        return shared + members * (each + _BESIDE * self.state)

    def most_members(self) -> int:
        """How many fit as one batch."""
        fixed = self.batch(0)
        return (self.free - fixed) // (self.batch(1) - fixed + self.held * self.state)

    def require(self, members: int) -> None:
        """Raise a ConfigError if a batch of so many members does not fit."""
        needed = self.batch(members) + members * self.held * self.state
        if needed <= self.free:
            return
        who = "one member takes" if members == 1 else f"a batch of {members} members takes"
        less = "" if members == 1 else " or a smaller --batch"
        if self.asked is None:
            found = f"{shown_size(max(self.free, 0))} of what is free may be taken; free some, or use a larger machine"
        else:
            found = f"got --memory {shown_size(self.asked)}; give more memory{less}"
        raise ConfigError(f"{who} {shown_size(needed + (self.asked or self.free) - self.free)}, {found}")

    def grouped(self, batches: Sequence[range], at_work: int) -> tuple[tuple[range, ...], ...]:
        """The batches in groups whose states fit in memory together, beside what a batch takes ``at_work``."""
        states = max(len(batch) for batch in batches) * self.held * self.state
        together = max((self.free - at_work) // states, 1)
        return tuple(tuple(batches[first : first + together]) for first in range(0, len(batches), together))


def step_bytes(forecaster: Forecaster, members: int) -> int:
    """Peak of the memory that one step of a batch takes beside its states and noise, without computing it.

    The step is done with tensors that have shapes, but no values; every step of the sampler but the last takes the
    same, so two are enough.
    """
    sampler, device = forecaster.sampler, forecaster.static.device
    short = replace(forecaster, sampler=sampler.model_copy(update={"steps": min(sampler.steps, 2)}))
    shape = (members, len(forecaster.channels), *forecaster.grid.shape)
    latent = forecaster.model.latent_size
    with FakeTensorMode(allow_non_fake_inputs=True):
        previous, current = (torch.empty(shape, device=device) for _ in range(2))
        noise = torch.empty((members, latent) if latent else shape, device=device)
    with _Allocations(_weight(device)) as allocations:
        time = np.datetime64("2000-01-01", "ns")
        short.step(previous, current, time, noise, fresh=lambda _: torch.empty_like(noise))
    peak: int = allocations.peak
    return peak


def _weight(device: torch.device) -> Callable[[int], int]:
    return (lambda size: 5 * size // 2 if size < _HEAP else size) if device.type == "cpu" else (lambda size: size)


_WHOLE = {torch.ops.prim.device.default, torch.ops.aten.upsample_bilinear2d.vec}
"""Operations whose parts, as torch lists them for compilers, are not what is done."""


class _Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operations make, until they are gone."""

    def __init__(self, weight: Callable[[int], int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: int = 0
        self.peak: int = 0
        self._weight = weight
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in _WHOLE:
            with self:  # what an operation is made of also takes memory
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._take(leaf.untyped_storage())
        if func is torch.ops.aten.convolution.default and args[0].device.type == "cpu":
            self.peak = max(self.peak, self.live + self._weight(args[0].nbytes))  # oneDNN's copy in its own layout
        return result

    def _take(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._seen:
            size = self._weight(storage.nbytes())
            self._seen.add(storage)
            weakref.finalize(storage, self._give_back, size)
            self.live += size
            self.peak = max(self.peak, self.live)

    def _give_back(self, size: int) -> None:
        self.live -= size


def _resident() -> int:
    """Bytes of memory that this process takes now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
