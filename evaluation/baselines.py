"""What a forecast must beat: persistence (the initial truth, carried) and climatology (a normal distribution)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from evaluation.metrics.forms import Gaussian, Point
from evaluation.pairs import Snapshots, channels, minutes, require_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Forecast
    from evaluation.pairs import Match


class Climatology(Protocol):
    """Anything that knows the mean and standard deviation of the atmosphere at given times."""

    def at(self, times: NDArray[np.datetime64]) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation, canonical datasets with dims (time, [level], latitude, longitude)."""
        ...


class Baseline(Protocol):
    """A forecast that costs nothing; NaN where it has no value, never averaged over fewer points than the others."""

    name: str

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """What it would need for these matches and does not have."""
        ...

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Forecast:
        """Its forecast of the field of ``match``."""
        ...


class Persistence:
    """The truth at the initial time as the forecast for every lead; its CRPS is its absolute error."""

    name = "persistence"

    def __init__(self, truth: xr.Dataset) -> None:
        self._times = set(truth["time"].values.astype("datetime64[ns]"))
        self._initial = Snapshots(truth)

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Initial times that the truth does not have."""
        lacking = {match.initial_time for match in matches} - self._times
        return [
            f"the truth lacks the initial time {minutes(time)}, which persistence needs" for time in sorted(lacking)
        ]

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Point:
        """The initial field."""
        if match.initial_time not in self._times:
            return Point(np.full(observation.shape, np.nan))
        return Point.of(self._initial.field(match.channel, match.initial_time), observation)


class GaussianClimatology:
    """The climatological mean and standard deviation at the valid time, scored as a normal distribution."""

    name = "climatology"

    def __init__(self, climatology: Climatology, grid: Grid) -> None:
        self._climatology = climatology
        self._grid = grid
        self._time: np.datetime64 | None = None

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Fields that it does not know."""
        self._load(matches[0].valid_time)
        wanted = dict.fromkeys(match.channel for match in matches)
        return [f"the climatology lacks {channel.name}" for channel in wanted if channel not in self._channels]

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Gaussian:
        """The distribution at the valid time."""
        self._load(match.valid_time)
        if match.channel not in self._channels:
            nothing = np.full(observation.shape, np.nan)
            return Gaussian(nothing, nothing)
        mean, std = (part.field(match.channel, match.valid_time) for part in self._parts)
        return Gaussian.of(mean, std, observation)

    def _load(self, time: np.datetime64) -> None:
        """Evaluate every field at ``time``, unless that was done last: matches come in order of time."""
        if self._time != time:
            mean, std = self._climatology.at(np.array([time], dtype="datetime64[ns]"))
            require_grid(mean, self._grid, "the climatology")
            self._channels = set(channels(mean, "time")) & set(channels(std, "time"))
            self._parts = (Snapshots(mean), Snapshots(std))
            self._time = time
