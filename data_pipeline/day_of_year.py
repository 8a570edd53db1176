"""The climatology by hour and day of the year: mean, standard deviation and quantiles at every point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_pipeline.channels import Channels, inventory
from data_pipeline.day_of_year_records import (
    DAYS,
    GroupRecords,
    Records,
    WeatherBench2Records,
    calendar,
    north_to_south,
    values,
)
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.times import shown, whole_hours
from data_pipeline.units import plain_units
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Collection

    import zarr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Fields = NDArray[np.float32]
    Times = NDArray[np.datetime64]

Quantile = Annotated[float, Field(gt=0, lt=1)]


class ClimatologyConfig(BaseModel):
    """What the climatology by hour and day of the year smooths over, and which quantiles it has.

    Mean and standard deviation are over ``window_days`` days, weighted by a triangle whose two ends weigh zero
    (WeatherBench2's). Quantiles are over all states within ``quantile_half_window_days`` days on either side of
    every ``quantile_every_days``-th day of the year, of equal weight. Without ``quantiles`` there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_days: int = Field(61, ge=3, lt=DAYS)
    quantiles: tuple[Quantile, ...] = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    quantile_every_days: int = Field(15, ge=1, le=DAYS)
    quantile_half_window_days: int = Field(15, ge=0, lt=DAYS // 2)

    @field_validator("window_days")
    @classmethod
    def _has_a_middle(cls, days: int) -> int:
        if days % 2 == 0:
            raise ValueError(f"got a window of {days} days, expected an odd number; take one more")
        return days

    @field_validator("quantiles")
    @classmethod
    def _ascend(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(set(quantiles)):
            raise ValueError("expected quantiles in ascending order, each once")
        return quantiles


@dataclass(frozen=True)
class DayOfYearClimatology:
    """A climatology by hour and day of the year that reads from disk only what is asked of it."""

    channels: Channels
    grid: Grid
    hours: tuple[int, ...]
    records: Records

    @classmethod
    def from_group(cls, group: zarr.Group, channels: Channels, grid: Grid) -> DayOfYearClimatology:
        """That which ``write_day_of_year`` wrote; a DataError if the group holds something else."""
        missing = [name for name in ("hour", "dayofyear", "mean", "std") if name not in group]
        if missing:
            raise DataError(f"{group.store_path} lacks {', '.join(missing)}, so it is no climatology; build it again")
        hours = values(group, "hour").tolist()
        return cls(channels, grid, tuple(hours), GroupRecords(group, hours))

    @classmethod
    def from_weatherbench2(cls, dataset: xr.Dataset, channels: Channels | None = None) -> DayOfYearClimatology:
        """A climatology of WeatherBench2: ``geopotential``, ``geopotential_std``, ..., by (hour, dayofyear, ...).

        Parameters
        ----------
        dataset
            Opened lazily, latitude in either direction, (latitude, longitude) in either order.
        channels
            Those to give; None: all variables that the table of variables knows.

        Raises
        ------
        DataError
            If an axis, a variable, its standard deviation or a level is not there, or units are not the table's.
        """
        axes = [axis for axis in ("hour", "dayofyear", "latitude", "longitude") if axis not in dataset.coords]
        if axes:
            raise DataError(f"the dataset lacks {', '.join(axes)}; expected a climatology by hour and dayofyear")
        known = _known(dataset)
        channels = channels or Channels.from_names(inventory(known))
        channels.select(known)
        stds = [f"{name}_std" for name in channels.variables if f"{name}_std" not in dataset]
        if stds:
            raise DataError(
                f"the climatology lacks {', '.join(stds)}; choose other variables, or take a store that has it"
            )
        _check_units(dataset, channels)
        labels = xr.Dataset(coords={axis: dataset[axis] for axis in ("latitude", "longitude")})
        hours = tuple(int(hour) for hour in dataset["hour"].values)
        return cls(channels, Grid.of(north_to_south(labels)), hours, WeatherBench2Records(dataset, channels))

    def select(self, variables: Collection[str]) -> DayOfYearClimatology:
        """That of these variables alone, which takes as much less to read; all of it if it has none of them."""
        held = self.channels.positions_of(variables) or list(range(len(self.channels)))
        channels = Channels(tuple(self.channels.channels[position] for position in held))
        return replace(self, channels=channels, records=self.records.select(channels, held))

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation at ``times``: canonical datasets, (time, [level], latitude, longitude).

        Raises
        ------
        DataError
            If a time is not at one of ``hours``, or there are no values on its day of the year.
        """
        keys = self._keys(times)
        mean = self._dataset(times, [self._whole(self.records.mean(*key), key) for key in keys])
        return mean, self._dataset(times, [self._whole(self.records.std(*key), key) for key in keys])

    @property
    def has_quantiles(self) -> bool:
        """Whether ``quantiles_at`` has an answer."""
        return self.records.has_quantiles

    def quantiles_at(self, times: Times) -> xr.Dataset:
        """Quantiles of the nearest day that is kept, at ``times``: (quantile, time, [level], latitude, longitude).

        Raises
        ------
        DataError
            As ``at``, and if the climatology has no quantiles.
        """
        keys = self._keys(times)
        found = [self.records.quantiles(*key) for key in keys]
        fields = np.stack([self._whole(fields, key) for key, (_, fields) in zip(keys, found, strict=True)], axis=1)
        coords = {"quantile": found[0][0], "time": times, **self.grid.coordinates}
        return self.channels.unstack(fields, coords, ("quantile", "time", "channel", "latitude", "longitude"))

    def _keys(self, times: Times) -> list[tuple[int, int]]:
        """(hour, day of the year) of each time."""
        whole_hours(times, np.datetime64("1970-01-01", "ns"))
        hour, day, _ = calendar(times)
        lacking = times[~np.isin(hour, self.hours)]
        if lacking.size:
            have = ", ".join(f"{hour:02d}" for hour in self.hours)
            raise DataError(
                f"the climatology has the hours {have} UTC, got {shown(lacking[0])}; choose among its hours, or take "
                "one that has others"
            )
        return list(zip(hour.tolist(), day.tolist(), strict=True))

    def _whole(self, fields: Fields, key: tuple[int, int]) -> Fields:
        """The fields themselves, if every channel has a value; (..., channel, latitude, longitude)."""
        empty = np.isnan(fields).all(axis=(-2, -1)).reshape(-1, len(self.channels))
        if empty.any():
            names = [name for name, lacks in zip(self.channels.names, empty.T, strict=True) if lacks.any()]
            raise DataError(
                f"the climatology has no {', '.join(names)} at {key[0]:02d} UTC on day {key[1]} of the year, which its "
                "record does not cover; take one of a longer record"
            )
        return fields

    def _dataset(self, times: Times, fields: list[Fields]) -> xr.Dataset:
        coords = {"time": times, **self.grid.coordinates}
        return self.channels.unstack(np.stack(fields), coords, ("time", "channel", "latitude", "longitude"))


def weatherbench2_channels(dataset: xr.Dataset) -> list[str]:
    """Names of the channels in a climatology of WeatherBench2 whose variables the table of variables knows."""
    return inventory(_known(dataset))


def _check_units(dataset: xr.Dataset, channels: Channels) -> None:
    """Raise a DataError for units that are stated and not the table's."""
    for name in channels.variables:
        for held in (name, f"{name}_std"):
            units, expected = str(dataset[held].attrs.get("units", "")), VARIABLES[name].units
            if units and plain_units(units) != expected:
                raise DataError(f"the climatology has {held} in {units!r}, expected {expected!r}; convert it")


def _known(dataset: xr.Dataset) -> xr.Dataset:
    """The means of prognostic variables that the table of variables knows."""
    return dataset[[name for name in dataset.data_vars if name in VARIABLES]]
