"""What is usual at a place and time: the fields of a climatology that scores ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from evaluation.pairs import channels, require_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field

T = TypeVar("T")


class Climatology(Protocol):
    """Anything that knows the mean and standard deviation of the atmosphere at given times.

    It may have ``quantiles_at(times)`` too: a canonical dataset with a leading dimension ``quantile``; and
    ``select(variables)``: a climatology of these alone.
    """

    def at(self, times: NDArray[np.datetime64]) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation, canonical datasets with dims (time, [level], latitude, longitude)."""
        ...


def of_variables(climatology: Climatology, variables: Collection[str]) -> Climatology:
    """What it says of these variables, where it can leave out others: those need not be read or evaluated."""
    select = getattr(climatology, "select", None)
    return climatology if select is None else cast("Climatology", select(variables))


def has_quantiles(climatology: object) -> bool:
    """Whether ``quantiles_at`` is there and has an answer."""
    return bool(getattr(climatology, "has_quantiles", hasattr(climatology, "quantiles_at")))


class Season:
    """A climatology one time after the other; the fields of the last time are kept, as is what was made of the last.

    Its grid and what it holds are those of the first time that it is asked for.
    """

    def __init__(self, climatology: Climatology, grid: Grid) -> None:
        self._climatology = climatology
        self._grid = grid
        self._time: np.datetime64 | None = None
        self._channels: set[Channel] | None = None
        self._quantiles: tuple[np.datetime64, xr.Dataset] | None = None
        self._parts: dict[str, xr.Dataset] = {}
        self._read: dict[tuple[str, str], dict[int | None, Field]] = {}
        self._field: tuple[Channel, np.datetime64] | None = None
        self._made: dict[Hashable, Any] = {}

    def holds(self, channel: Channel, time: np.datetime64) -> bool:
        """Whether it has this field."""
        self._load(time)
        return self._channels is not None and plain(channel) in self._channels

    def mean(self, channel: Channel, time: np.datetime64) -> Floats:
        """The mean (latitude, longitude) of a channel that it ``holds``, not to be changed."""
        return self._once(channel, time, "mean", lambda: self._moment("mean", channel, time).astype(np.float64))

    def std(self, channel: Channel, time: np.datetime64) -> Floats:
        """Its standard deviation, likewise."""
        return self._once(channel, time, "std", lambda: self._moment("std", channel, time).astype(np.float64))

    def mean_and_std(self, channel: Channel, time: np.datetime64) -> tuple[Floats, Floats]:
        """Both."""
        return self.mean(channel, time), self.std(channel, time)

    def quantiles(self, channel: Channel, time: np.datetime64, levels: Sequence[float]) -> Floats:
        """Quantiles (level, latitude, longitude), interpolated in probability between those that are kept.

        They are not to be changed.

        Raises
        ------
        ScoreError
            If the climatology has no quantiles, or none so far in the tails.
        """
        return self._once(channel, time, tuple(levels), lambda: self._interpolated(channel, time, levels))

    def _interpolated(self, channel: Channel, time: np.datetime64, levels: Sequence[float]) -> Floats:
        field = self._kept_quantiles(channel, time)
        kept = field["quantile"].values
        if min(levels) < kept[0] or max(levels) > kept[-1]:
            raise ScoreError(
                f"the climatology's quantiles span {kept[0]:g}..{kept[-1]:g}, got {min(levels):g}..{max(levels):g}; "
                "ask for less extreme ones, or make a climatology with more"
            )
        values = field.transpose("quantile", "latitude", "longitude").values
        above = np.clip(np.searchsorted(kept, levels), 1, len(kept) - 1)
        share = (np.asarray(levels) - kept[above - 1]) / (kept[above] - kept[above - 1])
        found = np.empty((len(levels), *values.shape[1:]))
        for place, (upper, part) in enumerate(zip(above.tolist(), share.tolist(), strict=True)):
            found[place] = values[upper - 1] * (1 - part) + values[upper] * part
        return found

    def _kept_quantiles(self, channel: Channel, time: np.datetime64) -> xr.DataArray:
        """Those that the climatology has, (quantile, latitude, longitude)."""
        quantiles_at = getattr(self._climatology, "quantiles_at", None)
        if quantiles_at is None:
            raise ScoreError(
                "the climatology has no quantiles, which this score needs; give one by hour and day of the year, "
                "e.g. --climatology STORE/day_of_year"
            )
        if self._quantiles is None or self._quantiles[0] != time:
            self._quantiles = time, quantiles_at(np.array([time], dtype="datetime64[ns]"))
        field: xr.DataArray = self._quantiles[1][channel.variable_name].isel(time=0)
        return field if channel.level is None else field.sel(level=channel.level)

    def _once(self, channel: Channel, time: np.datetime64, what: Hashable, make: Callable[[], T]) -> T:
        """What was made of this field before, or is made now; what was made of another field goes."""
        if self._field != (channel, time):
            self._field, self._made = (channel, time), {}
        if what not in self._made:
            self._made[what] = make()
        found: T = self._made[what]
        return found

    def _moment(self, which: str, channel: Channel, time: np.datetime64) -> Field:
        """Of one channel; all levels of its variable are read together."""
        self._load(time)
        key = which, channel.variable_name
        if key not in self._read:
            dataset = self._parts[which]
            field = dataset.variables[channel.variable_name].isel(time=0)
            levels = dataset["level"].values.tolist() if "level" in field.dims else [None]
            values = field.transpose(..., "latitude", "longitude").values
            self._read[key] = dict(zip(levels, values.reshape(-1, *values.shape[-2:]), strict=True))
        return self._read[key][channel.level]

    def _load(self, time: np.datetime64) -> None:
        """Evaluate every field at ``time``, unless that was done last: matches come in order of time."""
        if self._time == time:
            return
        mean, std = self._climatology.at(np.array([time], dtype="datetime64[ns]"))
        if self._channels is None:
            require_grid(mean, self._grid, "the climatology")
            self._channels = set(channels(mean, "time")) & set(channels(std, "time"))
        self._parts, self._read, self._time = {"mean": mean, "std": std}, {}, time


def plain(channel: Channel) -> Channel:
    """The channel itself, also of one that the forecast makes of others: a climatology of it may be there."""
    return Channel(channel.variable_name, channel.level)


class Climate:
    """The climatology of one field: its channel at its valid time."""

    def __init__(self, season: Season, channel: Channel, time: np.datetime64) -> None:
        self._season, self._channel, self._time = season, channel, time

    @property
    def mean(self) -> Floats:
        """Mean (latitude, longitude)."""
        return self._season.mean(self._channel, self._time)

    @property
    def std(self) -> Floats:
        """Standard deviation (latitude, longitude)."""
        return self._season.std(self._channel, self._time)

    def quantiles(self, levels: Sequence[float]) -> Floats:
        """Quantiles (level, latitude, longitude); see ``Season.quantiles``."""
        return self._season.quantiles(self._channel, self._time, levels)
