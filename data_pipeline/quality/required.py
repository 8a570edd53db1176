"""The checks that data must pass before hours are spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.quality.places import listed_times

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel, Channels


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
    return f"{listed_times(place['time'].values[None])}, {float(place['latitude']):g}N {float(place['longitude']):g}E"
