"""Sums over time, such as precipitation: which variables are, and over how long."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DAMAGES
from data_pipeline.times import HOUR
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from evaluation.plots.style import Style

_IN_NAME = {"total_precipitation_6hr": 6.0, "total_precipitation_12hr": 12.0, "total_precipitation_24hr": 24.0}
"""Hours, of WeatherBench2's names."""


def is_sum(variable: str) -> bool:
    """Whether each value is a sum over the time that ends at its lead."""
    known = VARIABLES.get(variable)
    return variable in _IN_NAME or (known is not None and known.accumulated)


def summed_over(run: xr.Dataset, variable: str) -> float | None:
    """Hours that a variable is a sum over, by its name or by the bounds of time in a NetCDF file; None if not known."""
    if variable in _IN_NAME:
        return _IN_NAME[variable]
    files = run.attrs.get("files", ())
    if not files or Path(files[0]).suffix not in {".nc", ".nc4"} or not Path(files[0]).is_file():
        return None
    return _between_bounds(files[0], Path(files[0]).stat().st_mtime_ns)


def titled(style: Style, run: xr.Dataset, variable: str) -> str:
    """The style's title; of a sum also over how long it is, e.g. ``precipitation in 6 h``."""
    if not is_sum(variable):
        return style.title
    hours = summed_over(run, variable)
    return f"{style.title} per step" if hours is None else f"{style.title} in {hours:g} h"


@lru_cache(maxsize=64)
def _between_bounds(file: str, changed: int) -> float | None:
    """Hours between the bounds of all times, if they are the same."""
    try:
        with xr.open_dataset(file, engine="netcdf4", cache=False, decode_timedelta=False) as raw:
            bounds = raw[{**raw["time"].encoding, **raw["time"].attrs}["bounds"]].values
    except DAMAGES:
        return None
    hours = np.unique(np.diff(bounds, axis=1) / HOUR)
    return float(hours[0]) if hours.size == 1 else None
