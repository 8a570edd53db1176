"""Fit the climatology by hour and day of the year, in bounded memory: WeatherBench2's window, and plain quantiles.

https://github.com/google-research/weatherbench2, ``compute_hourly_stat`` ("explicit", its default): years are stacked
by day of the year, 1 to 366; in common years day 366 is filled with day 365; mean and standard deviation are over
the days around a day and all years, with weights that fall linearly to zero at both ends of the window; the year is
a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.compiled import compiled
from data_pipeline.day_of_year_records import DAYS, calendar
from data_pipeline.day_of_year_window import WINDOW_BYTES, Window
from data_pipeline.errors import DataError
from data_pipeline.progress import track
from data_pipeline.shards import COMPRESSION_LEVEL, COMPRESSOR
from data_pipeline.working_memory import working_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from data_pipeline.day_of_year import ClimatologyConfig

    Fields = NDArray[np.float32]
    Positions = NDArray[np.int64]

MEMORY_BYTES = 2**31
"""Of working memory, unless told otherwise."""

_STATE_DIMS = ("channel", "latitude", "longitude")


class Reader(Protocol):
    """Gives states of a record at random."""

    def __call__(self, positions: Positions, /) -> Fields:
        """The states (time, channel, latitude, longitude) at ``positions``."""
        ...


class Pieces(Protocol):
    """Names of the pieces of work that are finished; a set does for work that is done at once."""

    def __contains__(self, name: str, /) -> bool:
        """Whether it is finished."""
        ...

    def add(self, name: str, /) -> None:
        """Say that it is."""
        ...


def write_day_of_year(
    group: zarr.Group, read: Reader, times: NDArray[np.datetime64], positions: Positions, config: ClimatologyConfig, *,
    memory_bytes: int = MEMORY_BYTES, folder: Path | None = None, finished: Pieces | None = None, progress: bool = True,
) -> None:  # fmt: skip
    """Write ``mean`` and ``std`` (hour, dayofyear, channel, latitude, longitude) into a ``group``.

    ``quantiles`` have dimensions (quantile, hour, dayofyear_of_quantiles, channel, latitude, longitude). All are
    float32 in the fields' units, one chunk per hour and day (and quantile). A day has a mean if the record has
    states of that hour on it, or within the window both before and after it; it has quantiles if it has states
    within their window. NaN in a state leaves out that point of it alone. Running it again gives the same bytes.

    Parameters
    ----------
    read
        Reads states at positions along ``times``. For mean and standard deviation each state is read once, those
        of the first and last days of the year twice, and all that again for each band of latitudes that running
        sums of the whole globe do not fit into ``memory_bytes``; for quantiles once for each sample that it is in.
    times
        Of all states, ascending, whole hours in UTC.
    positions
        Of the states to use, those of the training period.
    folder
        For a working file, where ``memory_bytes`` does not hold the days of a window or the states of a sample.
    finished
        What is finished of this climatology already; it is left as it is.

    Raises
    ------
    DataError
        If there are no states to use.
    OSError
        If the disk has no room.
    """
    if not len(positions):
        raise DataError("no states to take a climatology of, expected at least one; choose a longer training period")
    shape = read(positions[:1]).shape[1:]
    record = _Record(read, positions, *calendar(times[positions]), shape, memory_bytes, folder)
    pieces = _pieces(group, record, config)
    finished = set() if finished is None else finished
    for name, work in track(pieces.items(), "climatology", "piece", total=len(pieces), enabled=progress):
        if name not in finished:
            work()
            finished.add(name)


def _pieces(group: zarr.Group, record: _Record, config: ClimatologyConfig) -> dict[str, Callable[[], None]]:
    """Work that is done in this order, but of which each piece needs only the first."""
    hours = np.unique(record.hour)
    pieces: dict[str, Callable[[], None]] = {"arrays": partial(_create, group, record.shape, hours, config)}
    for index, hour in enumerate(hours.tolist()):
        pieces[f"moments-{hour:02d}"] = partial(_write_moments, group, record, index, hour, config.window_days)
        for number in range(len(quantile_days(config)) if config.quantiles else 0):
            name = f"quantiles-{hour:02d}-{number}"
            pieces[name] = partial(_write_quantiles, group, record, index, hour, number, config)
    return pieces


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
    folder: Path | None

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

    def states(self, positions: Positions, rows: slice = slice(None)) -> Iterator[Fields]:
        """The states' ``rows``, in batches (time, channel, rows, longitude) of at most an eighth of the memory."""
        size = max(self.memory_bytes // 8 // (4 * int(np.prod(self.shape))), 1)
        for start in range(0, len(positions), size):
            yield self.read(positions[start : start + size])[:, :, rows]

    def gathered(self, positions: Positions) -> Fields:
        """All states at ``positions``, in a file if they take more than three eighths of the memory."""
        states = working_array((len(positions), *self.shape), np.float32, self.memory_bytes * 3 // 8, self.folder)
        filled = 0
        for batch in self.states(positions):
            states[filled : filled + len(batch)] = batch
            filled += len(batch)
        return states

    def bands(self, bytes_per_point: int) -> list[slice]:
        """Rows of latitude in bands that fit into three eighths of the memory, one row at least."""
        channels, rows, columns = self.shape
        height = max(self.memory_bytes * 3 // 8 // (channels * columns * bytes_per_point), 1)
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
    group.create_array(name, data=values, chunks=values.shape, dimension_names=(name,), overwrite=True)


def _fields(group: zarr.Group, name: str, shape: tuple[int, ...], dims: tuple[str, ...]) -> None:
    group.create_array(
        name,
        shape=shape,
        chunks=(*(1 for _ in dims), *shape[len(dims) :]),
        dtype="float32",
        compressors=[BloscCodec(cname=COMPRESSOR, clevel=COMPRESSION_LEVEL, shuffle="shuffle"), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=(*dims, *_STATE_DIMS),
        overwrite=True,
    )


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def _write_moments(group: zarr.Group, record: _Record, index: int, hour: int, window_days: int) -> None:
    reach = window_days // 2 - 1  # the two ends weigh zero
    covered = np.array([record.on(hour, day).size > 0 for day in range(1, DAYS + 1)])
    for rows in record.bands(WINDOW_BYTES):
        shape = record.shape[0], rows.stop - rows.start, record.shape[2]
        window = Window.before(1 - reach, reach, shape, record.memory_bytes // 2, record.folder)
        for day in range(1 - 2 * reach, DAYS + 1):  # around which the window is
            newest = (day + reach - 1) % DAYS
            window.move(state for states in record.states(record.on(hour, newest + 1), rows) for state in states)
            near = covered[np.arange(day - reach - 1, day + reach) % DAYS]
            if day >= 1 and near[: reach + 1].any() and near[reach:].any():
                mean, std = window.smoothed()
                _array(group, "mean")[index, day - 1, :, rows] = mean
                _array(group, "std")[index, day - 1, :, rows] = std


def _write_quantiles(
    group: zarr.Group, record: _Record, index: int, hour: int, number: int, config: ClimatologyConfig
) -> None:
    quantiles, (channels, _, columns) = np.asarray(config.quantiles), record.shape
    day = int(quantile_days(config)[number])
    states = record.gathered(record.near(hour, day, config.quantile_half_window_days))
    for rows in record.bands(4 * (len(states) + len(quantiles))) if len(states) else ():
        band = states[:, :, rows]
        found = np.empty((len(quantiles), band[0].size), np.float32)
        _interpolate(_sorted(band), quantiles, found)
        _array(group, "quantiles")[:, index, number, :, rows] = found.reshape(-1, channels, band.shape[2], columns)


def _sorted(states: Fields) -> Fields:
    """The values (point, state) of states (state, ...), sorted at each point, NaN last."""
    sample = np.ascontiguousarray(states.reshape(len(states), -1).T)
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
