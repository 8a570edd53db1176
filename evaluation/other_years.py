"""What was the weather in other years at this time of the year: a climatology that is made of the truth itself.

Days are compared as in the pipeline's climatology by hour and day of the year: the same hour, the year a circle of 366
days, a triangle of weights whose two ends weigh zero (WeatherBench2's). The scored year is left out: every time less
than half a year from the scored one, so that what is left is no part of the same season, at the turn of a year either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.pairs import minutes
from evaluation.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field

    Times = NDArray[np.datetime64]
    Positions = NDArray[np.int64]

DAY = np.timedelta64(1, "D")
_CIRCLE = 366
_HALF_YEAR = np.timedelta64(365 * 24 // 2, "h")
QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
QUANTILE_WINDOW_DAYS = 31
"""Days whose states, of equal weight, quantiles are made of; as in the pipeline's."""


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


class ClimatologyOfTruth:
    """A climatology by hour and day of the year, of the truth's other years: for truths of which there is no store.

    Some 60 fields of every other year are taken for each valid time, so it is meant for small grids and short records;
    ``sphercast`` stores hold the same ready made. Fields that were read are kept for the next times as long as there is
    room; for quantiles, the states of one window and field are in memory together.
    """

    def __init__(self, truth: xr.Dataset, window_days: int = 61) -> None:
        self._truth = truth[[name for name, field in truth.data_vars.items() if "time" in field.dims]]
        self._record = Record(self._truth)
        self._window_days = window_days

    def select(self, variables: Collection[str]) -> ClimatologyOfTruth:
        """That of these variables alone."""
        held = [name for name in self._truth.data_vars if name in variables]
        return ClimatologyOfTruth(self._truth[held], self._window_days) if held else self

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation about it, weighted by the triangle; dims (time, [level], latitude, longitude).

        Raises
        ------
        ScoreError
            If the truth has no other year around a time.
        """
        moments = {str(name): np.empty((2, *self._shape(str(name), len(times)))) for name in self._truth.data_vars}
        for place, time in enumerate(times):
            positions, weights = self._around(time, self._window_days)
            for name, found in moments.items():
                found[:, place] = weighted_moments(self._record.states(name, positions), weights)
        means = {name: mean for name, (mean, _) in moments.items()}
        deviations = {name: np.sqrt(variance) for name, (_, variance) in moments.items()}
        return self._dataset(means, times), self._dataset(deviations, times)

    def quantiles_at(self, times: Times) -> xr.Dataset:
        """Quantiles of all states at most 15 days away, of equal weight; dims (quantile, time, ...)."""
        quantiles = {
            str(name): np.empty((len(QUANTILES), *self._shape(str(name), len(times)))) for name in self._truth.data_vars
        }
        for place, time in enumerate(times):
            positions, _ = self._around(time, QUANTILE_WINDOW_DAYS + 2)  # the two ends weigh zero
            for name, found in quantiles.items():
                for level in range(len(self._record.levels(name))):
                    states = np.stack([state[level] for state in self._record.states(name, positions)])
                    found[:, place, level] = sample_quantiles(states, QUANTILES)
        return self._dataset(quantiles, times, {"quantile": list(QUANTILES)})

    def _around(self, time: np.datetime64, window_days: int) -> tuple[Positions, Floats]:
        positions, weights = OtherYears(self._record.times, window_days).around(time)
        if not len(positions):
            raise ScoreError(
                f"the truth has no other year around {minutes(time)} to make a climatology of; give a longer truth, or "
                "a climatology"
            )
        return positions, weights

    def _shape(self, name: str, times: int) -> tuple[int, ...]:
        return times, len(self._record.levels(name)), *self._record.grid.shape

    def _dataset(
        self, fields: dict[str, Floats], times: Times, first: dict[str, list[float]] | None = None
    ) -> xr.Dataset:
        """Of fields ([first], time, level, latitude, longitude), where variables without levels have one."""
        labels = {name: self._truth[name] for name in ("level", "latitude", "longitude") if name in self._truth.coords}
        found = {}
        for name, values in fields.items():
            on_levels = self._record.levels(name) != [None]
            dims = (*(first or ()), "time", *(["level"] if on_levels else []), "latitude", "longitude")
            own = values if on_levels else np.squeeze(values, axis=-3)
            found[name] = xr.DataArray(own, dims=dims, attrs=self._truth[name].attrs)
        return xr.Dataset(found, {**(first or {}), "time": times, **labels}, self._truth.attrs)


def weighted_moments(states: Iterable[Field], weights: Floats) -> tuple[Floats, Floats]:
    """Mean and variance about it of states, each with its weight; NaN where one of them is.

    One after the other, as sums of differences from the first, in float64.

    >>> mean, variance = weighted_moments([np.array([1.0]), np.array([4.0])], np.array([2.0, 1.0]))
    >>> mean.tolist(), variance.tolist()
    ([2.0], [2.0])
    """
    shift = total = squares = np.zeros(())
    for number, (state, share) in enumerate(zip(states, weights / weights.sum(), strict=True)):
        if number == 0:
            shift, total, squares = state.astype(np.float64), np.zeros(state.shape), np.zeros(state.shape)
        difference = state - shift
        weighted = share * difference
        total += weighted
        weighted *= difference
        squares += weighted
    return shift + total, np.maximum(squares - total**2, 0.0)


def sample_quantiles(states: Field, levels: Sequence[float]) -> Floats:
    """Quantiles (level, ...) of states (state, ...), linear between them (Hyndman and Fan's type 7); NaN is left out.

    >>> sample_quantiles(np.array([[4.0], [np.nan], [0.0]]), [0.25]).tolist()
    [[1.0]]
    """
    ascending = np.ascontiguousarray(states.reshape(len(states), -1).T)
    ascending.sort(axis=1)  # NaN last
    last = np.maximum((~np.isnan(ascending)).sum(axis=1) - 1, 0)
    found, points = np.empty((len(levels), len(ascending))), np.arange(len(ascending))
    for place, level in enumerate(levels):
        rank = level * last
        below = rank.astype(np.int64)
        low, high = ascending[points, below], ascending[points, np.minimum(below + 1, last)]
        found[place] = low + (high.astype(np.float64) - low) * (rank - below)
    return found.reshape(len(levels), *states.shape[1:])
