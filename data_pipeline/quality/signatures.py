"""Signatures: does the weather agree with the labels? Every test fires only on clear evidence for other labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import reading
from data_pipeline.grid import Grid
from data_pipeline.quality.circulation import hemispheres_exchanged
from data_pipeline.quality.columns import levels_exchanged
from data_pipeline.quality.geography import misplaced, misplaced_cold
from data_pipeline.quality.waves import travels_west

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.quality.findings import Report
    from data_pipeline.quality.geography import Verdict

    Fields = NDArray[np.float32]
    Times = NDArray[np.datetime64]

_COLUMNS = 180
"""A column every 2 degrees is enough to know the globe by."""
_LEVELS = range(500, 1001)
"""hPa where the tests hold."""
_OROGRAPHY = 500.0
"""m2 s-2 above which the ground is land (about 50 m)."""
_WINTER = (11, 0, 1)
"""Months, from 0, in which the land of the north is clearly colder than the sea."""
_SEVERAL_WEATHERS = np.timedelta64(10, "D")
"""Time that states must span for their mean to show more of the land than of the weather."""


def check_signatures(states: xr.Dataset, report: Report) -> None:
    """Find data that lie flipped, rolled or mirrored against their own labels.

    Parameters
    ----------
    states
        Canonical, of a few times (they are read, one channel after the other): some that follow each other by
        12 hours or less, spread over the year. Grids that do not cover the globe are not judged.
    report
        Where findings go, one for each variable and code; their count is of levels.

    Raises
    ------
    DataError
        If values cannot be read.
    """
    step = max(1, states.sizes["longitude"] // _COLUMNS)
    if not Grid.of(states).is_global:
        return
    thin = states.isel(latitude=slice(None, None, step), longitude=slice(None, None, step))
    grid = Grid.of(thin)
    with reading(states.encoding.get("source", "the data")):
        for name in map(str, thin.data_vars):
            for verdict in _verdicts(thin[name], grid):
                report.add(verdict.code, verdict.message, variable=name)


def _verdicts(variable: xr.DataArray, grid: Grid) -> Iterator[Verdict]:
    """Findings of one variable. Where its levels are exchanged, nothing else can be told from them."""
    found = _of_columns(variable, grid) if "level" in variable.dims else None
    if found:
        yield found
        return
    for channel, field in _channels(variable):
        times = field["time"].values if "time" in field.dims else np.array([], dtype="datetime64[ns]")
        values = np.atleast_3d(field.values) if "time" not in field.dims else field.values
        for verdict in _of_channel(channel, times, values, grid):
            if verdict:
                yield verdict


def _channels(field: xr.DataArray) -> Iterator[tuple[Channel, xr.DataArray]]:
    name = str(field.name)
    if "level" not in field.dims:
        yield Channel(name), field
        return
    for level in field["level"].values.tolist():
        if level in _LEVELS:
            yield Channel(name, level), field.sel(level=level, drop=True)


def _of_channel(channel: Channel, times: Times, values: Fields, grid: Grid) -> Iterator[Verdict | None]:
    if not times.size:
        yield _of_static(channel, values.reshape(grid.shape), grid)
        return
    if channel.variable.defined_over == "sea" and np.isnan(values[0]).any():
        yield misplaced(np.isnan(values[0]).astype(np.float64), grid)
        return
    low, high = channel.variable.valid_range
    sound = ((values >= low) & (values <= high)).all(axis=(1, 2))  # NaN is neither
    times, values = times[sound], values[sound]
    if times.size:
        yield hemispheres_exchanged(channel, times, values, grid)
        yield travels_west(times, values, grid)
        if channel.variable_name == "2m_temperature":
            yield _of_winter(times, values, grid)


def _of_static(channel: Channel, field: Fields, grid: Grid) -> Verdict | None:
    if channel.variable_name == "land_sea_mask":
        return misplaced(field.astype(np.float64), grid)
    if channel.variable_name == "geopotential_at_surface":
        return misplaced((field > _OROGRAPHY).astype(np.float64), grid)
    return None


def _of_winter(times: Times, values: Fields, grid: Grid) -> Verdict | None:
    inside = np.isin(times.astype("datetime64[M]").astype(np.int64) % 12, _WINTER)
    if not inside.any() or np.ptp(times[inside]) < _SEVERAL_WEATHERS:
        return None
    return misplaced_cold(values[inside].mean(axis=0, dtype=np.float64), grid)


def _of_columns(field: xr.DataArray, grid: Grid) -> Verdict | None:
    first = field.isel(time=0) if "time" in field.dims else field
    rows = first.values.mean(axis=-1, dtype=np.float64)
    means = rows @ grid.area_weights() / grid.shape[0]
    known = np.isfinite(means)
    levels = np.asarray(field["level"].values)[known].tolist()
    return levels_exchanged(str(field.name), levels, means[known])
