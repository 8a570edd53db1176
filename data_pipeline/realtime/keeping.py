"""States kept in the work folder as NetCDF, a file a time: a fetch that was killed goes on, and gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.publish import write_netcdf
from data_pipeline.realtime.fetching import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.realtime.request import Request


def keep_each_time(
    request: Request, folder: Path, origin: tuple[str, str], read: Callable[[Request], xr.Dataset]
) -> xr.Dataset:
    """The states of all times, each ``read`` unless it is kept already; ``origin`` is the source's kind and path.

    What ``read`` gives is canonical and lazy; its failures go through.
    """
    kept = folder / f"{origin[0]}-{digest(request, *origin)}"
    files = [kept / f"{np.datetime_as_string(time, unit='h')}.nc" for time in request.times]
    for single, file in zip(request.each_time(), files, strict=True):
        if not file.exists():
            write_states(read(single).load(), file)
    parts = [xr.open_dataset(file, engine="netcdf4", chunks={}) for file in files]
    states: xr.Dataset = xr.concat(
        parts, "time", data_vars="minimal", coords="minimal", compat="override", join="exact"
    )
    return states


def write_states(states: xr.Dataset, path: Path) -> None:
    """A NetCDF file, whole or not at all; nothing of how the source packed them stays."""
    encoding = {"time": {"units": "hours since 1970-01-01", "dtype": "int64"}} if "time" in states.coords else {}
    write_netcdf(states.drop_encoding(), path, encoding)
