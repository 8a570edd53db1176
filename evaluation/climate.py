"""What is usual at a place and time: the fields of a climatology that scores ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from evaluation.pairs import Snapshots, channels, require_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats


class Climatology(Protocol):
    """Anything that knows the mean and standard deviation of the atmosphere at given times.

    It may have ``quantiles_at(times)`` too: a canonical dataset with a leading dimension ``quantile``.
    """

    def at(self, times: NDArray[np.datetime64]) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation, canonical datasets with dims (time, [level], latitude, longitude)."""
        ...


class Season:
    """A climatology one time after the other; the fields of the last time are kept."""

    def __init__(self, climatology: Climatology, grid: Grid) -> None:
        self._climatology = climatology
        self._grid = grid
        self._time: np.datetime64 | None = None
        self._quantiles: tuple[np.datetime64, xr.Dataset] | None = None

    def holds(self, channel: Channel, time: np.datetime64) -> bool:
        """Whether it has this field."""
        self._load(time)
        return _plain(channel) in self._channels

    def mean_and_std(self, channel: Channel, time: np.datetime64) -> tuple[Floats, Floats]:
        """Both fields (latitude, longitude) of a channel that it ``holds``."""
        self._load(time)
        mean, std = (part.field(_plain(channel), time).astype(np.float64) for part in self._parts)
        return mean, std

    def quantiles(self, channel: Channel, time: np.datetime64, levels: Sequence[float]) -> Floats:
        """Quantiles (level, latitude, longitude), interpolated in probability between those that are kept.

        Raises
        ------
        ScoreError
            If the climatology has no quantiles, or none so far in the tails.
        """
        quantiles_at = getattr(self._climatology, "quantiles_at", None)
        if quantiles_at is None:
            raise ScoreError(
                "the climatology has no quantiles, which this score needs; give one by hour and day of the year, "
                "e.g. --climatology STORE/day_of_year"
            )
        if self._quantiles is None or self._quantiles[0] != time:
            self._quantiles = time, quantiles_at(np.array([time], dtype="datetime64[ns]"))
        kept = self._quantiles[1]["quantile"].values
        if min(levels) < kept[0] or max(levels) > kept[-1]:
            raise ScoreError(
                f"the climatology's quantiles span {kept[0]:g}..{kept[-1]:g}, got {min(levels):g}..{max(levels):g}; "
                "ask for less extreme ones, or make a climatology with more"
            )
        field = self._quantiles[1][channel.variable_name].isel(time=0)
        chosen = field if channel.level is None else field.sel(level=channel.level)
        values = chosen.transpose("quantile", "latitude", "longitude").values.astype(np.float64)
        above = np.clip(np.searchsorted(kept, levels), 1, len(kept) - 1)
        share = ((np.asarray(levels) - kept[above - 1]) / (kept[above] - kept[above - 1]))[:, None, None]
        return np.asarray(values[above - 1] * (1 - share) + values[above] * share)

    def _load(self, time: np.datetime64) -> None:
        """Evaluate every field at ``time``, unless that was done last: matches come in order of time."""
        if self._time != time:
            mean, std = self._climatology.at(np.array([time], dtype="datetime64[ns]"))
            require_grid(mean, self._grid, "the climatology")
            self._channels = set(channels(mean, "time")) & set(channels(std, "time"))
            self._parts = (Snapshots(mean), Snapshots(std))
            self._time = time


def _plain(channel: Channel) -> Channel:
    """The channel itself, also of one that the forecast makes of others: a climatology of it may be there."""
    return Channel(channel.variable_name, channel.level)


class Climate:
    """The climatology of one field: its channel at its valid time."""

    def __init__(self, season: Season, channel: Channel, time: np.datetime64) -> None:
        self._season, self._channel, self._time = season, channel, time

    @property
    def mean(self) -> Floats:
        """Mean (latitude, longitude)."""
        return self._season.mean_and_std(self._channel, self._time)[0]

    @property
    def std(self) -> Floats:
        """Standard deviation (latitude, longitude)."""
        return self._season.mean_and_std(self._channel, self._time)[1]

    def quantiles(self, levels: Sequence[float]) -> Floats:
        """Quantiles (level, latitude, longitude); see ``Season.quantiles``."""
        return self._season.quantiles(self._channel, self._time, levels)
