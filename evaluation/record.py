"""The truth along time, for all that ask for the same fields again and again: each is read once, if there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import reading
from data_pipeline.grid import Grid
from evaluation.derived import DerivedChannel, parts
from evaluation.pairs import minutes
from evaluation.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.pairs import Field

    Positions = NDArray[np.int64]

KEPT_BYTES = 2**29
"""Of fields that are kept."""
READ_BYTES = 2**25
"""Of fields that are read at a time."""


class Record:
    """Fields of a canonical dataset at positions along its times; the last that were read are kept.

    Parameters
    ----------
    dataset
        With dims (time, [level], latitude, longitude).
    channels
        That will be asked for: no other level of their variables is read. By default all levels are.
    kept_bytes
        How much is kept in memory.
    """

    def __init__(
        self, dataset: xr.Dataset, channels: Sequence[Channel] | None = None, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._dataset, self._kept = dataset, Recent(kept_bytes)
        self.times = dataset["time"].values.astype("datetime64[ns]")
        self.grid = Grid.of(dataset)
        self._positions = {time: place for place, time in enumerate(self.times)}
        wanted = {part for channel in channels or () for part in parts(channel)}
        self._levels = {str(name): _levels(field, wanted) for name, field in dataset.data_vars.items()
                        if "time" in field.dims}  # fmt: skip

    def holds(self, time: np.datetime64) -> bool:
        """Whether it has a time."""
        return time in self._positions

    def position(self, time: np.datetime64) -> int:
        """Where a time stands that it ``holds``."""
        return self._positions[time]

    def field(self, channel: Channel, time: np.datetime64) -> Field:
        """The field (latitude, longitude) at a time that it ``holds``."""
        field: Field = self.fields(channel, np.array([self.position(time)]))[0]
        return field

    def fields(self, channel: Channel, positions: Positions) -> Field:
        """Fields (time, latitude, longitude) of a channel, or made of others."""
        if isinstance(channel, DerivedChannel):
            return channel.make(lambda part: self.fields(part, positions), self.grid)
        name = channel.variable_name
        place = self.levels(name).index(channel.level)
        return np.stack([state[place] for state in self.states(name, positions)])

    def levels(self, name: str) -> list[int | None]:
        """Those of a variable that are read, [None] if it has none."""
        return self._levels[name]

    def states(self, name: str, positions: Positions) -> Iterator[Field]:
        """All levels of a variable (level, latitude, longitude), one position after the other, not to be changed."""
        size = 4 * len(self.levels(name)) * int(np.prod(self.grid.shape))
        together = max(READ_BYTES // size, 1)
        for start in range(0, len(positions), together):
            part = positions[start : start + together].tolist()
            there = {place: self._kept.get((name, place)) for place in part if (name, place) in self._kept}
            absent = sorted(set(part) - set(there))
            for place, state in zip(absent, self._read(name, absent), strict=True):
                self._kept.put((name, place), state)
                there[place] = state
            yield from (there[place] for place in part)

    def _read(self, name: str, positions: list[int]) -> Iterator[Field]:
        """States from the file at ascending positions, which are kept."""
        field = self._dataset[name].transpose("time", ..., "latitude", "longitude")
        chosen = field.sel(level=self.levels(name)) if "level" in field.dims else field
        for run in runs(positions) if field.chunks is None else [positions] * bool(positions):
            own = chosen.isel(time=run)
            span = " to ".join(dict.fromkeys(minutes(time) for time in own["time"].values[[0, -1]]))
            with reading(f"{name} of {span} in {self._dataset.encoding.get('source', 'the truth')}"):
                values = own.values.reshape(own.sizes["time"], -1, *self.grid.shape)
            yield from (state.copy() for state in values)  # a view would keep all that was read with it


def runs(positions: Sequence[int]) -> Iterator[slice]:
    """Ascending positions as slices: of others, what xarray reads lazily is read from the first to the last.

    >>> list(runs([0, 4, 8, 9, 10, 15]))
    [slice(0, 9, 4), slice(9, 11, 1), slice(15, 16, 1)]
    """
    start = 0
    while start < len(positions):
        stop, step = start + 1, 1
        if stop < len(positions):
            step = positions[stop] - positions[start]
            while stop < len(positions) and positions[stop] - positions[stop - 1] == step:
                stop += 1
        yield slice(positions[start], positions[stop - 1] + 1, step)
        start = stop


def _levels(field: xr.DataArray, wanted: Collection[Channel]) -> list[int | None]:
    """Of a variable of which some levels are wanted, those; of others all."""
    held: list[int | None] = field["level"].values.tolist() if "level" in field.dims else [None]
    named = {channel.level for channel in wanted if channel.variable_name == field.name}
    return [level for level in held if level in named] or held
