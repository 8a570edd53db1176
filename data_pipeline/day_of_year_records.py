"""Where a climatology by hour and day of the year is kept: a zarr group of this package, or WeatherBench2's store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from data_pipeline.errors import DataError, reading
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channels

    Floats = NDArray[np.float64]
    Fields = NDArray[np.float32]
    Times = NDArray[np.datetime64]

DAYS = 366
"""Days of the year, 29 February among them; the year is a circle of them."""


class Records(Protocol):
    """Fields by hour and day of the year, float32 (channel, latitude, longitude), in the channels' units."""

    @property
    def has_quantiles(self) -> bool:
        """Whether there are any."""
        ...

    def mean(self, hour: int, day: int) -> Fields:
        """The mean of one hour and day."""
        ...

    def std(self, hour: int, day: int) -> Fields:
        """The standard deviation of one hour and day."""
        ...

    def quantiles(self, hour: int, day: int) -> tuple[Floats, Fields]:
        """Levels (quantile,), and fields (quantile, channel, ...) of the kept day nearest to ``day``."""
        ...

    def select(self, channels: Channels, positions: list[int]) -> Records:
        """The same of some channels alone, which stand at these positions among all of its own."""
        ...


@dataclass(frozen=True)
class GroupRecords:
    """Of a group that ``write_day_of_year`` wrote."""

    group: zarr.Group
    hours: list[int]
    positions: tuple[int, ...] | None = None
    """Of the channels that are asked for; None: all."""

    @property
    def has_quantiles(self) -> bool:
        """Whether it was built with them."""
        return "quantiles" in self.group

    def mean(self, hour: int, day: int) -> Fields:
        """The mean of one hour and day."""
        return self._field("mean", hour, day - 1)

    def std(self, hour: int, day: int) -> Fields:
        """The standard deviation of one hour and day."""
        return self._field("std", hour, day - 1)

    def quantiles(self, hour: int, day: int) -> tuple[Floats, Fields]:
        """Of the nearest day that is kept; a DataError if the group has none."""
        if not self.has_quantiles:
            raise DataError(f"{self.group.store_path} has no quantiles; build it with 'quantiles' in its climatology")
        ahead = np.abs(values(self.group, "dayofyear_of_quantiles") - day)
        nearest = int(np.argmin(np.minimum(ahead, DAYS - ahead)))
        levels = values(self.group, "quantile")
        return levels, np.stack([self._field("quantiles", level, hour, nearest) for level in range(len(levels))])

    def select(self, channels: Channels, positions: list[int]) -> GroupRecords:
        """The same of some channels alone."""
        held = self.positions or tuple(range(positions[-1] + 1))
        return GroupRecords(self.group, self.hours, tuple(held[position] for position in positions))

    def _field(self, name: str, *place: int) -> Fields:
        """One chunk: all channels are read, those that are asked for kept."""
        *before, hour, day = place
        with reading(self.group.store_path):
            field = _array(self.group, name)[(*before, self.hours.index(hour), day)]
        chosen = field if self.positions is None else field[list(self.positions)]
        return np.asarray(chosen, dtype=np.float32)


@dataclass(frozen=True)
class WeatherBench2Records:
    """Of a climatology store of WeatherBench2."""

    dataset: xr.Dataset
    channels: Channels

    @property
    def has_quantiles(self) -> bool:
        """Never."""
        return False

    def mean(self, hour: int, day: int) -> Fields:
        """The mean of one hour and day."""
        return self._fields("", hour, day)

    def std(self, hour: int, day: int) -> Fields:
        """The standard deviation of one hour and day."""
        return self._fields("_std", hour, day)

    def quantiles(self, hour: int, day: int) -> tuple[Floats, Fields]:
        """A DataError: there are none."""
        raise DataError(f"WeatherBench2's climatology has no quantiles, asked for day {day} at {hour:02d} UTC; fit one")

    def select(self, channels: Channels, positions: list[int]) -> WeatherBench2Records:
        """The same of some channels alone."""
        return WeatherBench2Records(self.dataset, channels)

    def _fields(self, suffix: str, hour: int, day: int) -> Fields:
        if day not in self.dataset["dayofyear"].values:
            days = ", ".join(f"{end}" for end in self.dataset["dayofyear"].values[[0, -1]])
            raise DataError(
                f"the climatology has no day {day} of the year, its first and last are {days}; take one of 366 days"
            )
        names = {f"{name}{suffix}": name for name in self.channels.variables}
        chosen = self.dataset[list(names)].sel(hour=hour, dayofyear=day, drop=True)
        with reading("the climatology"):
            loaded = chosen.load().rename(names)
        return np.asarray(self.channels.stack(north_to_south(loaded)).values, dtype=np.float32)


def calendar(times: Times) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Hour of the day, day of the year from 1, and whether that is day 365 of a year without a day 366.

    >>> [part.tolist() for part in calendar(np.array(["2001-12-31T06", "2004-12-31T18"], "datetime64[ns]"))]
    [[6, 18], [365, 366], [True, False]]
    """
    days, years = times.astype("datetime64[D]"), times.astype("datetime64[Y]")
    day = (days - years.astype("datetime64[D]")).astype(np.int64) + 1
    is_last = (days + 1).astype("datetime64[Y]") > years
    return ((times - days) // HOUR).astype(np.int64), day, np.asarray(is_last & (day == DAYS - 1))


def north_to_south(dataset: xr.Dataset) -> xr.Dataset:
    """The same data, latitude descending."""
    return dataset.sortby("latitude", ascending=False)


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def values(group: zarr.Group, name: str) -> NDArray[Any]:
    """All of an array."""
    return np.asarray(_array(group, name)[:])
