"""States as they lie on disk, read slab by slab for the checks of their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channel, Channels
from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.quality.places import NEVER, when
from data_pipeline.quality.values import ValueChecker
from data_pipeline.sources.opening import raw_parts
from data_pipeline.sources.shares import share_of_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.quality.findings import Report
    from data_pipeline.store import TrainingStore

    Positions = NDArray[np.intp]
    Fields = NDArray[np.float32]
    Times = NDArray[np.datetime64]

_SLAB_BYTES = 2**27
"""Of one variable in memory where the data have no chunks of their own."""


@dataclass(frozen=True)
class VariableStream:
    """One variable of a canonical dataset, on those of its levels that hold values; ``time`` may be absent.

    ``path`` is where the data lie, if they were opened from there: single states can then be read again.
    """

    variable: xr.DataArray
    levels: tuple[int, ...]
    path: str | None = None

    @property
    def name(self) -> str:
        """The variable's name."""
        return str(self.variable.name)

    @property
    def channels(self) -> Channels:
        """One for each level, or the variable itself."""
        return Channels(tuple(Channel(self.name, level) for level in self.levels) or (Channel(self.name),))

    @property
    def grid(self) -> Grid:
        """Of every field."""
        return Grid.of(self.variable)

    @property
    def times(self) -> Times:
        """Of every state; one, never, for what has no time."""
        return np.asarray(self.variable["time"].values) if "time" in self.variable.dims else np.array([NEVER])

    @property
    def edges(self) -> Positions:
        """Positions where the chunks of the data end."""
        if "time" not in self.variable.dims:
            return np.array([1])
        if self.variable.chunks:
            return np.cumsum(self.variable.chunksizes["time"])
        count = self.variable.sizes["time"]
        step = max(1, _SLAB_BYTES * count // max(1, self.variable.nbytes))
        return np.append(np.arange(step, count, step), count)

    def read(self, positions: Positions) -> Fields:
        """States (time, channel, latitude, longitude)."""
        chosen = self.variable.sel(level=list(self.levels)) if self.levels else self.variable
        chosen = chosen.isel(time=positions) if "time" in chosen.dims else chosen
        values = np.asarray(chosen.values, dtype=np.float32)
        return values.reshape(len(positions), len(self.channels), *values.shape[-2:])

    def read_alone(self, position: int) -> Fields:
        """One state, without the others of its dask chunk, which may be damaged: it is many chunks on disk."""
        if self.path is None or "time" not in self.variable.dims:
            return self.read(np.array([position]))
        time = self.times[position]
        state = share_of_parts(raw_parts(self.path), [self.name], self.path, (time, time))
        return VariableStream(state[self.name].isel(time=[0]), self.levels).read(np.array([0]))


@dataclass(frozen=True)
class StoreStream:
    """All channels of a training store, whose chunks hold them together."""

    store: TrainingStore
    name: str = field(default="fields", init=False)

    @property
    def channels(self) -> Channels:
        """As stored."""
        return self.store.channels

    @property
    def grid(self) -> Grid:
        """Of every field."""
        return self.store.grid

    @property
    def times(self) -> Times:
        """Of every state."""
        return self.store.times

    @property
    def edges(self) -> Positions:
        """A slab is one state: that is how they are compressed."""
        return np.arange(1, self.times.size + 1)

    def read(self, positions: Positions) -> Fields:
        """States (time, channel, latitude, longitude)."""
        return self.store.read(positions)

    def read_alone(self, position: int) -> Fields:
        """One state."""
        return self.read(np.array([position]))


def check_stream(stream: VariableStream | StoreStream, positions: Positions, report: Report) -> Iterator[int]:
    """Check the states at ``positions`` (ascending) slab by slab; yields how many each slab had when it is done."""
    checker = ValueChecker(stream.channels, stream.grid)
    for slab in _slabs(stream.edges, positions):
        for part, fields in _readable(stream, slab, report):
            checker.update(stream.times[part], fields, report)
        yield len(slab)


def _readable(
    stream: VariableStream | StoreStream, slab: Positions, report: Report
) -> Iterator[tuple[Positions, Fields]]:
    """The slab at once, or state by state without those that are damaged, which are put in the report."""
    try:
        with reading(stream.name):
            fields = stream.read(slab)
    except DataError:
        for position in slab:
            yield from _alone(stream, int(position), report)
    else:
        yield slab, fields


def _alone(stream: VariableStream | StoreStream, position: int, report: Report) -> Iterator[tuple[Positions, Fields]]:
    try:
        with reading(stream.name):
            fields = stream.read_alone(position)
    except DataError as error:
        report.add("unreadable", str(error), variable=stream.name, time=when(stream.times[position]))
    else:
        yield np.array([position]), fields


def held_levels(variable: xr.DataArray, report: Report) -> tuple[int, ...]:
    """Levels on which a variable has a value at its first, middle or last time; the others are put in the report.

    A level axis may be the union of several variables' levels.
    """
    if "level" not in variable.dims:
        return ()
    levels = np.asarray(variable["level"].values)
    count = variable.sizes.get("time", 1)
    if not count:
        return tuple(levels.tolist())
    probed = variable.isel(time=sorted({0, count // 2, count - 1})) if "time" in variable.dims else variable
    try:
        with reading(variable.name):
            empty = np.isnan(probed.values).all(axis=tuple(i for i, dim in enumerate(probed.dims) if dim != "level"))
    except DataError:
        return tuple(levels.tolist())  # whether it is there shows when all is read
    if empty.any() and not empty.all():
        message = f"no values at {levels[empty].tolist()} hPa, expected some on every level; taken as not there"
        report.add("level-empty", message, variable=str(variable.name), count=int(empty.sum()))
        levels = levels[~empty]
    return tuple(levels.tolist())


def _slabs(edges: Positions, positions: Positions) -> list[Positions]:
    chunk = np.searchsorted(edges, positions, side="right")
    return np.split(positions, np.flatnonzero(np.diff(chunk)) + 1)
