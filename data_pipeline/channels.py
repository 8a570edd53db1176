"""Channels: the one object that crosses between datasets (names and levels) and tensors (a channel axis)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.variables import Variable, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

LEVELS_HPA = range(1, 1101)
"""Pressure levels that exist: from the top of the models to the deepest depression, in whole hPa."""


@dataclass(frozen=True)
class Channel:
    """One two-dimensional field: a variable, on a pressure level in hPa where it has levels.

    >>> Channel("geopotential", 500).name
    'geopotential_500'
    """

    variable_name: str
    level: int | None = None

    @property
    def name(self) -> str:
        """The variable's name with its level behind it."""
        return self.variable_name if self.level is None else f"{self.variable_name}_{self.level}"

    @property
    def variable(self) -> Variable:
        """The entry in the table of variables."""
        return variable(self.variable_name)


@dataclass(frozen=True)
class Channels:
    """An ordered set of channels; it alone knows the order along a tensor's channel axis.

    Raises
    ------
    DataError
        If there is no channel or one occurs twice, a variable is unknown, has levels where it should not (or the
        reverse), or a level is not in hPa.
    """

    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise DataError("got no channels, expected at least one variable; name it under 'variables'")
        for channel in self.channels:
            _check_level(channel)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise DataError(f"channels occur twice: {', '.join(twice)}; name each variable and level once")

    @classmethod
    def of(cls, variables: Mapping[str, Sequence[int] | None]) -> Channels:
        """Channels of ``{variable: levels, or None without levels}``, in the order given.

        Raises
        ------
        DataError
            If a variable is unknown, or has levels where it should not (or the reverse).

        >>> [channel.name for channel in Channels.of({"temperature": [850, 500], "2m_temperature": None})]
        ['temperature_850', 'temperature_500', '2m_temperature']
        """
        for name, levels in variables.items():
            if variable(name).on_levels != bool(levels):
                expected = "a list of levels in hPa" if variable(name).on_levels else "null, it has no levels"
                raise DataError(f"variable {name}: got levels {levels!r}, expected {expected}")
        return cls(tuple(Channel(name, level) for name, levels in variables.items() for level in levels or (None,)))

    @classmethod
    def from_names(cls, names: Sequence[str]) -> Channels:
        """The inverse of ``names``."""
        return cls(tuple(_parse(name) for name in names))

    @property
    def names(self) -> list[str]:
        """Names in order, e.g. ``['geopotential_500', ...]``."""
        return [channel.name for channel in self.channels]

    @property
    def variables(self) -> dict[str, list[int] | None]:
        """``{variable: levels, or None}``, in the order of first appearance."""
        levels: dict[str, list[int] | None] = {}
        for channel in self.channels:
            if channel.level is None:
                levels[channel.variable_name] = None
            else:
                levels[channel.variable_name] = [*(levels.get(channel.variable_name) or []), channel.level]
        return levels

    def positions_of(self, variables: Collection[str]) -> list[int]:
        """Where the channels of some variables stand.

        >>> Channels.of({"temperature": [850, 500], "2m_temperature": None}).positions_of({"2m_temperature"})
        [2]
        """
        return [position for position, channel in enumerate(self) if channel.variable_name in variables]

    def __len__(self) -> int:
        return len(self.channels)

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.channels)

    def index(self, name: str) -> int:
        """Position of the channel called ``name``; a DataError lists the names if there is none."""
        if name not in self._positions:
            raise DataError(f"no channel {name!r}; expected one of: {', '.join(self.names)}")
        return self._positions[name]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def select(self, dataset: xr.Dataset) -> xr.Dataset:
        """Only these channels of a canonical dataset, all levels present, or a DataError that lists what lacks."""
        held = inventory(dataset)
        missing = [name for name in self.names if name not in held]
        if missing:
            raise DataError(f"the data lack {', '.join(missing)}; they have {', '.join(held) or 'nothing known'}")
        return dataset[list(self.variables)]

    def stack(self, dataset: xr.Dataset) -> xr.DataArray:
        """A canonical dataset as one array with dims (..., channel, latitude, longitude), in this order."""
        selected = self.select(dataset)
        fields = [_field(selected, channel) for channel in self]
        stacked = xr.concat(fields, "channel", coords="minimal", compat="override", join="exact")
        return stacked.transpose(..., "channel", "latitude", "longitude").rename("fields")

    def unstack(self, fields: NDArray[Any], coords: Mapping[str, Any], dims: Sequence[str]) -> xr.Dataset:
        """The inverse of ``stack``: ``fields`` with named ``dims``, one of them ``channel``, as a canonical dataset."""
        return self.unstack_array(xr.DataArray(fields, dims=dims, coords=dict(coords)))

    def unstack_array(self, array: xr.DataArray) -> xr.Dataset:
        """A labelled array with dimension ``channel`` (lazy or not) as a canonical dataset.

        Its level axis is the union of the variables' levels; a variable is NaN on those that it lacks.
        """
        if array.sizes.get("channel") != len(self):
            got = f"{array.sizes['channel']} channels" if "channel" in array.dims else f"dims {array.dims}"
            raise DataError(
                f"got {got}, expected {len(self)} along 'channel': {', '.join(self.names)}; stack them first"
            )
        dataset = {name: self._gather(array, name, levels) for name, levels in self.variables.items()}
        return xr.Dataset(dataset)

    def _gather(self, array: xr.DataArray, name: str, levels: list[int] | None) -> xr.DataArray:
        if levels is None:
            field = array.isel(channel=self.index(name), drop=True)
        else:
            ascending = sorted(levels)
            positions = [self.index(Channel(name, level).name) for level in ascending]
            field = array.isel(channel=positions).rename(channel="level").assign_coords(level=ascending)
        return field.rename(name).assign_attrs(variable(name).attributes).transpose(..., "latitude", "longitude")


def inventory(dataset: xr.Dataset) -> list[str]:
    """Channel names that a canonical dataset has room for (a level axis may be the union of several variables')."""
    levels = [int(level) for level in np.atleast_1d(dataset["level"])] if "level" in dataset.coords else []
    names: list[str] = []
    for name, data in dataset.data_vars.items():
        names += [f"{name}_{level}" for level in levels] if "level" in data.dims else [str(name)]
    return names


def _check_level(channel: Channel) -> None:
    on_levels = channel.variable.on_levels
    if on_levels and (channel.level is None or channel.level not in LEVELS_HPA):
        expected = f"whole hPa in {LEVELS_HPA[0]}..{LEVELS_HPA[-1]}"
        raise DataError(f"channel {channel.name}: got level {channel.level}, expected {expected}; give its level")
    if not on_levels and channel.level is not None:
        raise DataError(f"channel {channel.name}: got level {channel.level}, expected none; name the variable alone")


def _field(dataset: xr.Dataset, channel: Channel) -> xr.DataArray:
    field = dataset[channel.variable_name]
    selected = field if channel.level is None else field.sel(level=channel.level, drop=True)
    return selected.drop_attrs().rename("fields")


def _parse(name: str) -> Channel:
    variable_name, _, level = name.rpartition("_")
    if level.isdigit() and variable_name:
        return Channel(variable(variable_name).name, int(level))
    return Channel(variable(name).name)
