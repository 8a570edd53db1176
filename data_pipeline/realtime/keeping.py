"""States kept in the work folder as NetCDF, a file a time: a fetch that was killed goes on, and gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.publish import write_netcdf
from data_pipeline.realtime.fetching import digest
from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from data_pipeline.realtime.request import Request


def keep_each_time(
    request: Request, folder: Path, origin: Sequence[str], read: Callable[[Request], xr.Dataset]
) -> xr.Dataset:
    """The states of all times, each ``read`` unless it is kept already.

    ``origin`` is the source's kind, and then all that chooses its data. What ``read`` gives is canonical and in memory;
    its failures go through.

    Raises
    ------
    DataError
        If the times are on different grids, or what is kept is damaged.
    """
    kept = folder / f"{origin[0]}-{digest(request, *origin)}"
    files = [kept / f"{np.datetime_as_string(time, unit='h')}.nc" for time in request.times]
    for single, file in zip(request.each_time(), files, strict=True):
        if not file.exists():
            write_states(read(single), file)
    with reading(kept):
        parts = [xr.open_dataset(file, engine="netcdf4", chunks={}) for file in files]
    grids = [Grid.of(part) for part in parts]
    if not all(grid.matches(grids[0]) for grid in grids):
        shapes = ", ".join(f"{grid} at {shown(time)}" for grid, time in zip(grids, request.times, strict=True))
        raise DataError(f"{origin[1]} has states on different grids ({shapes}), expected one; regrid them")
    states: xr.Dataset = xr.concat(
        parts, "time", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    return states


def write_states(states: xr.Dataset, path: Path) -> None:
    """A NetCDF file, whole or not at all; nothing of how the source packed them stays."""
    encoding = {"time": {"units": "hours since 1970-01-01", "dtype": "int64"}} if "time" in states.coords else {}
    write_netcdf(states.drop_encoding(), path, encoding)
