"""The checks that data must pass before hours are spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel, Channels

    Times = NDArray[np.datetime64]

_SHOWN = 5


def check_times(times: Times, interval: np.timedelta64) -> None:
    """Raise a DataError unless ``times`` ascend by exactly ``interval``; it names the missing or repeated ones.

    >>> check_times(np.array(["2000-01-01T00", "2000-01-01T12"], "datetime64[ns]"), np.timedelta64(12, "h"))
    """
    steps = np.diff(times)
    if np.any(steps == np.timedelta64(0)):
        raise DataError(f"times occur twice: {_show(times[1:][steps == np.timedelta64(0)])}; remove the copies")
    if np.any(steps < np.timedelta64(0)):
        raise DataError(f"times do not ascend after {_show(times[:-1][steps < np.timedelta64(0)])}; sort them")
    expected = np.arange(times[0], times[-1] + np.timedelta64(1, "ns"), interval)
    missing = np.setdiff1d(expected, times)
    if missing.size:
        raise DataError(
            f"{missing.size} of {expected.size} times are missing at an interval of {_hours(interval)} h: "
            f"{_show(missing)}; complete the source, or choose a period without the gap"
        )
    extra = np.setdiff1d(times, expected)
    if extra.size:
        hours = _hours(interval)
        raise DataError(f"times off the interval of {hours} h: {_show(extra)}; select every {hours} h, or change it")


def check_values(fields: xr.DataArray, channels: Channels) -> None:
    """Raise a DataError that lists every channel with NaN or infinite values, or values that physics forbids.

    ``fields`` has dims (time, channel, latitude, longitude) and is already in memory.
    """
    found = [_defect(fields[:, position], channel) for position, channel in enumerate(channels)]
    defects = [defect for defect in found if defect]
    if defects:
        raise DataError("bad values: " + "; ".join(defects) + "; mend the source or leave the variable out")


def _defect(field: xr.DataArray, channel: Channel) -> str:
    values = field.values
    missing = ~np.isfinite(values)
    if missing.any():
        return f"{channel.name} has {int(missing.sum())} missing or infinite values, first at {_first(field, missing)}"
    low, high = channel.variable.valid_range
    outside = (values < low) | (values > high)
    if outside.any():
        return (
            f"{channel.name} spans {values.min():g}..{values.max():g} {channel.variable.units}, "
            f"expected within {low:g}..{high:g}, first at {_first(field, outside)}"
        )
    return ""


def _first(field: xr.DataArray, bad: NDArray[np.bool_]) -> str:
    time, row, column = np.argwhere(bad)[0]
    place = field[time, row, column]
    return f"{_show(place['time'].values[None])}, {float(place['latitude']):g}N {float(place['longitude']):g}E"


def _show(times: Times) -> str:
    first = ", ".join(shown(time) for time in times[:_SHOWN])
    return first + (f" and {times.size - _SHOWN} more" if times.size > _SHOWN else "")


def _hours(interval: np.timedelta64) -> str:
    return f"{interval / HOUR:g}"
