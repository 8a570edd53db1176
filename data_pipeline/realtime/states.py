"""From opened canonical data to the states of a request: just its times, variables and levels, sums of its length."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError, listed
from data_pipeline.times import HOUR, shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.realtime.request import Request

_LOG = logging.getLogger(__name__)


def states_of(opened: xr.Dataset, request: Request, name: str) -> xr.Dataset:
    """The canonical states of a request out of canonical data, lazily; ``name`` is what messages call the data.

    Accumulated variables are summed over the hours that are asked for, from as many fields as it takes. Where data do
    not say what a sum is over, it is taken to be their interval, with a warning.

    Raises
    ------
    DataError
        If a variable, level or time is not there, or fields do not add up to the sums.
    """
    variables = request.channels.variables
    chosen = request.channels.select(opened)
    levels = sorted({level for levels in variables.values() for level in levels or ()})
    chosen = chosen.sel(level=levels) if levels else chosen
    return xr.Dataset({field: _at(chosen[field], request, name) for field in variables})


def _at(field: xr.DataArray, request: Request, name: str) -> xr.DataArray:
    entry, times = variable(str(field.name)), np.array(request.times, dtype="M8[ns]")
    if entry.role == "static":
        return field
    if not entry.accumulated:
        _require_times(field, times, name)
        return field.sel(time=times)
    hours, own = request.hours_accumulated, _hours_of(field, request, name)
    if own < 1 or hours % own:
        raise DataError(f"{name} has {field.name} as sums over {own} h, expected {hours} h or a part; take other data")
    ends = [times - before * HOUR for before in range(0, hours, own)]
    _require_times(field, np.concatenate(ends), name)
    parts = [field.sel(time=end).assign_coords(time=times) for end in ends]
    total: xr.DataArray = sum(parts[1:], start=parts[0]).assign_attrs(field.attrs, accumulation_hours=hours)
    return total


def _hours_of(field: xr.DataArray, request: Request, name: str) -> int:
    """Hours that each sum is over: as the data say, else their interval, as in training stores."""
    if "accumulation_hours" in field.attrs:
        return int(field.attrs["accumulation_hours"])
    times = field["time"].values
    hours = int(np.diff(times).min() / HOUR) if times.size > 1 else request.hours_accumulated
    _LOG.warning("%s: %s is taken as sums over %d h, as its files do not say it", name, field.name, hours)
    return hours


def _require_times(field: xr.DataArray, times: NDArray[np.datetime64], name: str) -> None:
    held = field["time"].values
    missing = [shown(time) for time in times if time not in held]
    if missing:
        have = f"{shown(held.min())}..{shown(held.max())}" if held.size else "no time"
        raise DataError(f"{name} has no {field.name} at {listed(missing)}, it has {have}; wait, or choose other times")
