"""What was the weather in other years at this time of the year: climatologies that are made of the truth itself.

Days are compared as in the pipeline's climatology by hour and day of the year: the same hour, the year a circle of 366
days, a triangle of weights whose two ends weigh zero (WeatherBench2's). The scored year is left out: every time less
than half a year from the scored one, so that what is left is no part of the same season, at the turn of a year either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError, reading
from evaluation.metrics.forms import Ensemble
from evaluation.pairs import minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field, Match
    from evaluation.settings import Settings

    Times = NDArray[np.datetime64]
    Positions = NDArray[np.int64]

DAY = np.timedelta64(1, "D")
_CIRCLE = 366
_HALF_YEAR = np.timedelta64(365 * 24 // 2, "h")
QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
QUANTILE_WINDOW_DAYS = 31
"""Days whose states, of equal weight, quantiles are made of; as in the pipeline's."""
_FEWEST_MEMBERS = 2


@dataclass(frozen=True)
class OtherYears:
    """The times of a record that tell what is usual at a time, in a window of an odd number of days."""

    times: Times
    window_days: int

    def around(self, time: np.datetime64) -> tuple[Positions, Floats]:
        """Positions of times of the same hour within the window in other years, and their weights, all above zero.

        >>> days = np.arange("2001-01-01", "2004-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
        >>> positions, weights = OtherYears(days, 5).around(np.datetime64("2002-06-02", "ns"))
        >>> [str(day)[:10] for day in days[positions]]  # doctest: +NORMALIZE_WHITESPACE
        ['2001-06-01', '2001-06-02', '2001-06-03', '2003-06-01', '2003-06-02', '2003-06-03']
        >>> weights.tolist()
        [0.5, 1.0, 0.5, 0.5, 1.0, 0.5]
        """
        apart = np.abs(day_of_year(self.times) - day_of_year(np.asarray(time)))
        weights = 1 - np.minimum(apart, _CIRCLE - apart) / ((self.window_days - 1) / 2)
        usable = ((self.times - time) % DAY == np.timedelta64(0)) & (np.abs(self.times - time) > _HALF_YEAR)
        positions = np.flatnonzero(usable & (weights > 1e-9))
        return positions, weights[positions]


def day_of_year(times: Times) -> NDArray[np.int64]:
    """1 to 366."""
    days = times.astype("datetime64[D]")
    return np.asarray((days - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1)


def some(names: Sequence[str]) -> str:
    """The first three, and how many more.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def fields_at(truth: xr.Dataset, channel: Channel, positions: Positions) -> Field:
    """Fields (time, latitude, longitude) of a channel, read now."""
    fields = truth[channel.variable_name].isel(time=positions)
    chosen = fields if channel.level is None else fields.sel(level=channel.level)
    with reading(truth.encoding.get("source", "the truth")):
        values: Field = chosen.transpose("time", "latitude", "longitude").values
    return values


class ProbabilisticClimatology:
    """An ensemble of the truth's fields of other years at this time of the year.

    If there are more than ``settings.climatology_members``, so many are drawn without replacement, the chance of each
    as its weight in the triangle; the same for every lead, model and run that verifies at that time. Otherwise all are
    members, of equal weight, since a score knows no weights. (WeatherBench2's script draws years and days of a
    15-day window with equal chances, and keeps to one past year along a forecast.) What it lacks is the weather of
    today: its members know the season only, and each lead has members of its own, so that they are no trajectories.
    """

    name = "probabilistic_climatology"

    def __init__(self, truth: xr.Dataset, settings: Settings) -> None:
        self._truth = truth
        self._years = OtherYears(truth["time"].values.astype("datetime64[ns]"), settings.climatology_window_days)
        self._most, self._seed = settings.climatology_members, settings.seed

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Valid times for which the truth has no two fields of other years."""
        times = sorted({match.valid_time for match in matches})
        bare = [minutes(time) for time in times if len(self._years.around(time)[0]) < _FEWEST_MEMBERS]
        if not bare:
            return []
        return [f"the truth lacks other years around {some(bare)}, which probabilistic_climatology needs"]

    def chosen(self, time: np.datetime64) -> Positions:
        """Positions in the truth of the members for a valid time, ascending."""
        positions, weights = self._years.around(time)
        if len(positions) <= self._most:
            return positions
        draw = np.random.default_rng([self._seed, int(time.astype("datetime64[m]").astype(np.int64)) % 2**62])
        return np.sort(draw.choice(positions, self._most, replace=False, p=weights / weights.sum()))

    def forecast(self, match: Match, observation: Field) -> Ensemble:
        """The fields of other years; NaN where there are less than two."""
        positions = self.chosen(match.valid_time)
        if len(positions) < _FEWEST_MEMBERS:
            return Ensemble.of(np.full((_FEWEST_MEMBERS, *observation.shape), np.nan), observation)
        return Ensemble.of(fields_at(self._truth, match.channel, positions), observation)


class ClimatologyOfTruth:
    """A climatology by hour and day of the year, of the truth's other years: for truths of which there is no store.

    It reads some 60 fields of every other year for each valid time, so it is meant for small grids and short records;
    ``sphercast`` stores hold the same ready made.
    """

    def __init__(self, truth: xr.Dataset, window_days: int = 61) -> None:
        self._truth = truth[[name for name, field in truth.data_vars.items() if "time" in field.dims]]
        self._times = truth["time"].values.astype("datetime64[ns]")
        self._window_days = window_days

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation about it, weighted by the triangle; dims (time, [level], latitude, longitude).

        Raises
        ------
        ScoreError
            If the truth has no other year around a time.
        """
        moments = [self._moments(time) for time in times]
        mean, std = (xr.concat(list(part), "time", data_vars="all") for part in zip(*moments, strict=True))
        return mean.assign_coords(time=times), std.assign_coords(time=times)

    def quantiles_at(self, times: Times) -> xr.Dataset:
        """Quantiles of all states at most 15 days away, of equal weight; dims (quantile, time, ...)."""
        found = []
        for time in times:
            states = self._states(time, QUANTILE_WINDOW_DAYS + 2)[0]  # the two ends weigh zero
            found.append(states.quantile(list(QUANTILES), "time", keep_attrs=True))
        return xr.concat(found, "time", data_vars="all").assign_coords(time=times)

    def _moments(self, time: np.datetime64) -> tuple[xr.Dataset, xr.Dataset]:
        states, weights = self._states(time, self._window_days)
        share = xr.DataArray(weights / weights.sum(), dims="time")
        exact = states.astype(np.float64)
        mean = (exact * share).sum("time", skipna=False)
        variance = ((exact - mean) ** 2 * share).sum("time", skipna=False)
        return mean, variance**0.5

    def _states(self, time: np.datetime64, window_days: int) -> tuple[xr.Dataset, Floats]:
        positions, weights = OtherYears(self._times, window_days).around(time)
        if not len(positions):
            raise ScoreError(
                f"the truth has no other year around {minutes(time)} to make a climatology of; give a longer truth, or "
                "a climatology"
            )
        with reading(self._truth.encoding.get("source", "the truth")):
            return self._truth.isel(time=positions).load().drop_vars("time"), weights
