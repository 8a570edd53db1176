"""Fit the climatology by hour and day of the year, in bounded memory: WeatherBench2's window, and plain quantiles.

https://github.com/google-research/weatherbench2, ``compute_hourly_stat`` ("explicit", its default): years are stacked
by day of the year, 1 to 366; in common years day 366 is filled with day 365; mean and standard deviation are over
the days around a day and all years, with weights that fall linearly to zero at both ends of the window; the year is
a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.compiled import compiled
from data_pipeline.day_of_year_records import DAYS, calendar
from data_pipeline.errors import DataError
from data_pipeline.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zarr
    from numpy.typing import NDArray

    from data_pipeline.day_of_year import ClimatologyConfig

    Floats = NDArray[np.float64]
    Fields = NDArray[np.float32]
    Positions = NDArray[np.int64]

MEMORY_BYTES = 2**31
"""Of working memory, unless told otherwise."""

POINT_BYTES = 18
"""Of a day's sums at a point: two float64 and a count."""

_STATE_DIMS = ("channel", "latitude", "longitude")


class Reader(Protocol):
    """Gives states of a record at random."""

    def __call__(self, positions: Positions, /) -> Fields:
        """The states (time, channel, latitude, longitude) at ``positions``."""
        ...


def write_day_of_year(
    group: zarr.Group, read: Reader, times: NDArray[np.datetime64], positions: Positions, config: ClimatologyConfig, *,
    memory_bytes: int = MEMORY_BYTES, progress: bool = True,
) -> None:  # fmt: skip
    """Write ``mean`` and ``std`` (hour, dayofyear, channel, latitude, longitude) into an empty ``group``.

    ``quantiles`` have dimensions (quantile, hour, dayofyear_of_quantiles, channel, latitude, longitude). All are
    float32 in the fields' units, one chunk per hour and day (and quantile). A day has a mean if the record has
    states of that hour on it, or within the window both before and after it; it has quantiles if it has states
    within their window. NaN in a state leaves out that point of it alone. Running it again gives the same bytes.

    Parameters
    ----------
    read
        Reads states at positions along ``times``. For mean and standard deviation each state is read once, those
        of the first and last days of the year twice; for quantiles once for each sample that it is in. If
        ``memory_bytes`` does not hold all latitudes at once, that is repeated for each band of them.
    times
        Of all states, ascending, whole hours in UTC.
    positions
        Of the states to use, those of the training period.

    Raises
    ------
    DataError
        If there are no states to use.
    """
    if not len(positions):
        raise DataError("no states to take a climatology of, expected at least one; choose a longer training period")
    record = _Record(read, positions, *calendar(times[positions]), read(positions[:1]).shape[1:], memory_bytes)
    hours = np.unique(record.hour)
    _create(group, record.shape, hours, config)
    work = [(index, int(hour)) for index, hour in enumerate(hours)]
    for index, hour in track(work, "climatology", "hour", enabled=progress):
        _write_moments(group, record, index, hour, config.window_days)
        if config.quantiles:
            _write_quantiles(group, record, index, hour, config)


def quantile_days(config: ClimatologyConfig) -> Positions:
    """Days of the year that have quantiles: every ``quantile_every_days``-th from the first."""
    return np.arange(1, DAYS + 1, config.quantile_every_days, dtype=np.int64)


def climatology_bytes(config: ClimatologyConfig, hours: int, state_bytes: int) -> int:
    """Size before compression, for ``hours`` hours of the day and states of ``state_bytes`` bytes in float32."""
    return hours * state_bytes * (2 * DAYS + len(config.quantiles) * len(quantile_days(config)))


@dataclass(frozen=True)
class _Record:
    """States to use, with their hours, days of the year and whether that day is the last of a common year."""

    read: Reader
    positions: Positions
    hour: Positions
    day: Positions
    ends_common_year: NDArray[np.bool_]
    shape: tuple[int, int, int]
    memory_bytes: int

    def on(self, hour: int, day: int) -> Positions:
        """Positions of one hour and day of the year; day 366 of a common year is its day 365."""
        same = (self.day == day) | ((day == DAYS) & self.ends_common_year)
        return self._where((self.hour == hour) & same)

    def near(self, hour: int, day: int, reach: int) -> Positions:
        """Positions of one hour within ``reach`` days of a day of the year, each once."""
        ahead = (self.day - day + DAYS // 2) % DAYS - DAYS // 2
        return self._where((self.hour == hour) & (np.abs(ahead) <= reach))

    def _where(self, chosen: NDArray[np.bool_]) -> Positions:
        return np.asarray(self.positions[chosen], dtype=np.int64)

    def states(self, positions: Positions, rows: slice) -> Iterator[Fields]:
        """The states' ``rows``, in batches (time, channel, rows, longitude) of at most an eighth of the memory."""
        size = max(self.memory_bytes // 8 // (4 * int(np.prod(self.shape))), 1)
        for start in range(0, len(positions), size):
            yield self.read(positions[start : start + size])[:, :, rows]

    def bands(self, bytes_per_point: int) -> list[slice]:
        """Rows of latitude in bands that fit into three quarters of the memory, one row at least."""
        channels, rows, columns = self.shape
        height = max(self.memory_bytes * 3 // 4 // (channels * columns * bytes_per_point), 1)
        return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]


def _create(group: zarr.Group, shape: tuple[int, int, int], hours: Positions, config: ClimatologyConfig) -> None:
    _label(group, "hour", hours)
    _label(group, "dayofyear", np.arange(1, DAYS + 1))
    for name in ("mean", "std"):
        _fields(group, name, (len(hours), DAYS, *shape), ("hour", "dayofyear"))
    if config.quantiles:
        _label(group, "quantile", np.asarray(config.quantiles))
        _label(group, "dayofyear_of_quantiles", quantile_days(config))
        sizes = (len(config.quantiles), len(hours), len(quantile_days(config)), *shape)
        _fields(group, "quantiles", sizes, ("quantile", "hour", "dayofyear_of_quantiles"))
    group.attrs.update({**config.model_dump(mode="json"), "title": "climatology by hour and day of the year"})


def _label(group: zarr.Group, name: str, values: NDArray[Any]) -> None:
    group.create_array(name, data=values, chunks=values.shape, dimension_names=(name,))


def _fields(group: zarr.Group, name: str, shape: tuple[int, ...], dims: tuple[str, ...]) -> None:
    group.create_array(
        name,
        shape=shape,
        chunks=(*(1 for _ in dims), *shape[len(dims) :]),
        dtype="float32",
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=(*dims, *_STATE_DIMS),
    )


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def _write_moments(group: zarr.Group, record: _Record, index: int, hour: int, window_days: int) -> None:
    reach = window_days // 2 - 1  # the two ends weigh zero
    slots = 2 * reach + 1
    triangle = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    covered = np.array([record.on(hour, day).size > 0 for day in range(1, DAYS + 1)])
    for rows in record.bands(slots * POINT_BYTES):
        ring = _Ring.empty(slots, (record.shape[0], rows.stop - rows.start, record.shape[2]))
        for newest in range(1 - reach, DAYS + reach + 1):
            ring.replace(newest % slots, record.states(record.on(hour, (newest - 1) % DAYS + 1), rows))
            day = newest - reach
            near = covered[np.arange(day - reach - 1, day + reach) % DAYS]
            if day >= 1 and near[: reach + 1].any() and near[reach:].any():
                ages = (np.arange(slots) - day + reach) % slots
                mean, std = ring.smoothed(triangle[ages])
                _array(group, "mean")[index, day - 1, :, rows] = mean
                _array(group, "std")[index, day - 1, :, rows] = std


@dataclass(frozen=True)
class _Ring:
    """Sums of the last days at every point, in slots: values about ``shift``, their squares, their number."""

    shape: tuple[int, int, int]
    total: Floats
    squares: Floats
    count: NDArray[np.uint16]
    shift: Fields

    @classmethod
    def empty(cls, slots: int, shape: tuple[int, int, int]) -> _Ring:
        points = int(np.prod(shape))
        sums = np.zeros((slots, points)), np.zeros((slots, points)), np.zeros((slots, points), np.uint16)
        return cls(shape, *sums, np.full(points, np.nan, np.float32))

    def replace(self, slot: int, batches: Iterator[Fields]) -> None:
        """Put the sums of one day's states into a slot."""
        for sums in (self.total, self.squares, self.count):
            sums[slot] = 0
        for states in batches:
            for state in states:
                values = np.ascontiguousarray(state, dtype=np.float32).reshape(-1)
                _add(values, self.shift, self.total[slot], self.squares[slot], self.count[slot])

    def smoothed(self, weights: Floats) -> tuple[Fields, Fields]:
        """Mean and standard deviation of all states, weighted by their slots; NaN where there is no value."""
        mean, std = np.empty(self.shape, np.float32), np.empty(self.shape, np.float32)
        _smooth(weights, self.total, self.squares, self.count, self.shift, mean.reshape(-1), std.reshape(-1))
        return mean, std


@compiled
def _add(values: Any, shift: Any, total: Any, squares: Any, count: Any) -> None:
    """Add a state to a day's sums, about the first value that a point ever had."""
    for point in range(len(values)):
        value = values[point]
        if not np.isnan(value):
            if np.isnan(shift[point]):
                shift[point] = value
            deviation = np.float64(value) - np.float64(shift[point])
            total[point] += deviation
            squares[point] += deviation * deviation
            count[point] += 1


@compiled
def _smooth(weights: Any, total: Any, squares: Any, count: Any, shift: Any, mean: Any, std: Any) -> None:
    """Weighted mean m = sum(w x) / sum(w) and variance sum(w x^2) / sum(w) - m^2, both about the shift."""
    for start in range(0, len(mean), 512):  # a block of points at a time stays in the cache
        size = min(512, len(mean) - start)
        first, second, weight = np.zeros(size), np.zeros(size), np.zeros(size)
        for slot in range(len(weights)):
            for i in range(size):
                first[i] += weights[slot] * total[slot, start + i]
                second[i] += weights[slot] * squares[slot, start + i]
                weight[i] += weights[slot] * count[slot, start + i]
        for i in range(size):
            offset = first[i] / weight[i] if weight[i] > 0 else np.nan
            mean[start + i] = shift[start + i] + offset
            std[start + i] = np.sqrt(max(second[i] / weight[i] - offset * offset, 0.0)) if weight[i] > 0 else np.nan


def _write_quantiles(group: zarr.Group, record: _Record, index: int, hour: int, config: ClimatologyConfig) -> None:
    quantiles, (channels, _, columns) = np.asarray(config.quantiles), record.shape
    for number, day in enumerate(quantile_days(config)):
        chosen = record.near(hour, int(day), config.quantile_half_window_days)
        for rows in record.bands(4 * (len(chosen) + len(quantiles))) if chosen.size else ():
            shape = (channels, rows.stop - rows.start, columns)
            sample = _sample(record, chosen, rows, int(np.prod(shape)))
            found = np.empty((len(quantiles), len(sample)), np.float32)
            _interpolate(sample, quantiles, found)
            _array(group, "quantiles")[:, index, number, :, rows] = found.reshape(-1, *shape)


def _sample(record: _Record, positions: Positions, rows: slice, points: int) -> Fields:
    """The states' values (point, state), sorted at each point, NaN last."""
    sample, filled = np.empty((points, len(positions)), np.float32), 0
    for states in record.states(positions, rows):
        sample[:, filled : filled + len(states)] = states.reshape(len(states), points).T
        filled += len(states)
    sample.sort(axis=1)
    return sample


@compiled
def _interpolate(sample: Any, quantiles: Any, found: Any) -> None:
    """Quantiles (quantile, point) by linear interpolation between the sorted values of each point.

    Hyndman and Fan (1996), type 7, which is numpy's default.
    """
    for point in range(sample.shape[0]):
        valid = sample.shape[1]
        while valid > 0 and np.isnan(sample[point, valid - 1]):
            valid -= 1
        for q in range(len(quantiles)):
            if valid == 0:
                found[q, point] = np.nan
                continue
            rank = quantiles[q] * (valid - 1)
            below = int(rank)
            above = min(below + 1, valid - 1)
            low, high = np.float64(sample[point, below]), np.float64(sample[point, above])
            found[q, point] = low + (high - low) * (rank - below)
