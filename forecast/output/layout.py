"""What a forecast holds, and what of it one file holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.errors import ConfigError
from data_pipeline.stations import read_stations
from data_pipeline.times import HOUR
from forecast.output.points import Stations
from forecast.output.region import Region

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel, Channels
    from data_pipeline.grid import Grid
    from forecast.output.config import OutputConfig


@dataclass(frozen=True)
class EnsembleLayout:
    """The axes of a forecast: members by number, valid times, channels and grid."""

    channels: Channels
    grid: Grid
    members: Sequence[int]
    initial_time: np.datetime64
    times: NDArray[np.datetime64]

    @property
    def levels(self) -> list[int]:
        """All pressure levels in hPa, ascending; a variable that lacks one is missing there."""
        return _levels(self.channels)

    @property
    def lead_hours(self) -> list[float]:
        """Hours from the initial time to each of the times."""
        return [float(lead) for lead in (self.times - self.initial_time) / HOUR]


class Field(NamedTuple):
    """Where one field of a batch goes: positions in the batch, and along the axes of the file."""

    source: tuple[int, int]
    channel: Channel
    row: int
    column: int
    layer: int | None


class Block(NamedTuple):
    """All levels of a variable of one member: (level, *space), missing but for ``layers``; without levels (*space)."""

    variable: str
    row: int
    column: int
    layers: tuple[int, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Selection:
    """What of a forecast goes into one file: channels, members, steps (counted from 1) and places.

    A file of ``one_member`` has a scalar coordinate for it instead of a dimension.
    """

    layout: EnsembleLayout
    channels: Channels
    members: tuple[int, ...]
    steps: tuple[int, ...]
    space: Region | Stations
    one_member: bool = False

    @property
    def levels(self) -> list[int]:
        """Pressure levels in hPa, ascending."""
        return _levels(self.channels)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Valid times."""
        return np.asarray(self.layout.times[np.asarray(self.steps) - 1])

    @property
    def initial_time(self) -> np.datetime64:
        """When the forecast starts."""
        return self.layout.initial_time

    @property
    def step_length(self) -> np.timedelta64:
        """Of one forecast step: what accumulated variables are sums over."""
        return np.timedelta64(self.layout.times[0] - self.layout.initial_time)

    def cut(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """``states`` (member, channel, latitude, longitude) at the places: (member, channel, *space.shape)."""
        if self.channels != self.layout.channels:
            states = states[:, [self.layout.channels.index(name) for name in self.channels.names]]
        return self.space.cut(states, self.channels)

    def fields(self, members: Sequence[int], step: int) -> Iterator[Field]:
        """The fields of a batch after ``step`` that belong here, in the order in which files have them."""
        if step not in self.steps:
            return
        column, levels = self.steps.index(step), self.levels
        layers = [None if channel.level is None else levels.index(channel.level) for channel in self.channels]
        for position, member in enumerate(members):
            if member not in self.members:
                continue
            row = self.members.index(member)
            for number, (channel, layer) in enumerate(zip(self.channels, layers, strict=True)):
                yield Field((position, number), channel, row, column, layer)

    def has_all_levels(self, variable: str) -> bool:
        """Whether a variable is on every level of the file, or on none."""
        return self._stacks[variable].is_whole

    def blocks(self, members: Sequence[int], step: int, cut: NDArray[np.float32]) -> Iterator[Block]:
        """The fields of a batch, of which ``cut`` is what belongs here, the levels of a variable together."""
        if step not in self.steps:
            return
        column = self.steps.index(step)
        for position, member in enumerate(members):
            if member in self.members:
                row = self.members.index(member)
                for name, stack in self._stacks.items():
                    yield Block(name, row, column, stack.layers, stack.of(cut[position]))

    @cached_property
    def _stacks(self) -> dict[str, _Stack]:
        levels, numbered = self.levels, list(enumerate(self.channels))
        return {
            name: _Stack(
                tuple(number for number, channel in numbered if channel.variable_name == name),
                tuple(levels.index(level) for level in held or ()),
                len(levels),
            )
            for name, held in self.channels.variables.items()
        }


class _Stack(NamedTuple):
    """The channels of a variable by position, and the positions of their levels among all ``levels`` of the file."""

    channels: tuple[int, ...]
    layers: tuple[int, ...]
    levels: int

    @property
    def is_whole(self) -> bool:
        return len(self.layers) in (0, self.levels)

    def of(self, member: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut from a member's channels (channel, *space): (level, *space), or (*space)."""
        first = self.channels[0]
        if not self.layers:
            return np.asarray(member[first])
        if self.layers == tuple(range(self.levels)) and self.channels == tuple(range(first, first + self.levels)):
            return np.asarray(member[first : first + self.levels])
        values = np.full((self.levels, *member.shape[1:]), np.nan, np.float32)
        values[list(self.layers)] = member[list(self.channels)]
        return values


def select(layout: EnsembleLayout, config: OutputConfig, member: int | None = None) -> Selection:
    """What ``config`` asks for of a forecast, of all members or of one.

    Raises
    ------
    ConfigError
        If it asks for variables, levels, lead times or places that the forecast does not have.
    DataError
        If the list of stations cannot be read.
    """
    channels = _channels(layout.channels, config.variables, config.levels)
    if config.points is not None:
        space: Region | Stations = Stations(layout.grid, *read_stations(config.points))
    else:
        space = Region.of(layout.grid, config.region)
    members = tuple(layout.members) if member is None else (member,)
    return Selection(layout, channels, members, _steps(layout, config.lead_hours), space, member is not None)


def _levels(channels: Channels) -> list[int]:
    return sorted({channel.level for channel in channels if channel.level is not None})


def _channels(channels: Channels, variables: Sequence[str] | None, levels: Sequence[int] | None) -> Channels:
    held = channels.variables
    unknown = [name for name in variables or () if name not in held]
    if unknown:
        raise ConfigError(f"the forecast has no {', '.join(unknown)}; expected some of: {', '.join(held)}")
    absent = [level for level in levels or () if level not in _levels(channels)]
    if absent:
        shown = ", ".join(f"{level}" for level in _levels(channels)) or "none"
        raise ConfigError(f"the forecast has no level {absent[0]} hPa; expected some of: {shown}")
    kept = [
        channel
        for channel in channels
        if (variables is None or channel.variable_name in variables)
        and (levels is None or channel.level is None or channel.level in levels)
    ]
    empty = [name for name in variables or () if name not in {channel.variable_name for channel in kept}]
    if empty:
        raise ConfigError(f"{empty[0]} is on levels {held[empty[0]]} hPa, got levels {levels}; ask for one that it has")
    return type(channels)(tuple(kept))


def _steps(layout: EnsembleLayout, lead_hours: Sequence[float] | None) -> tuple[int, ...]:
    held = layout.lead_hours
    if lead_hours is None:
        return tuple(range(1, len(held) + 1))
    absent = [hours for hours in lead_hours if hours not in held]
    if absent:
        every = f"{held[0]:g} h to {held[-1]:g} h every {held[0]:g} h"
        raise ConfigError(f"the forecast has no lead time of {absent[0]:g} h; expected some of {every}")
    return tuple(sorted({held.index(hours) + 1 for hours in lead_hours}))
