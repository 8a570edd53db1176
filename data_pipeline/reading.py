"""Open anything that holds states - a training store, NetCDF, zarr, GRIB, a URL, the sample - as canonical data."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.canonical import canonicalise
from data_pipeline.climatology import Climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.remote import is_url
from data_pipeline.sampling import CLIMATOLOGY, STATES
from data_pipeline.sources.expver import one_version
from data_pipeline.sources.files import open_raw
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.grib_index import is_grib
from data_pipeline.store import is_store, open_store, partial_path
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    import xarray as xr

SAMPLE = "sample"
"""The name that stands for the shipped held-out weeks wherever a path to data is asked for."""


def open_states(path: str | Path) -> xr.Dataset:
    """States as a canonical dataset, lazily.

    Raises
    ------
    DataError
        If nothing readable is there, or it holds no known variable.
    """
    states = _open(path)
    states.encoding["source"] = str(path)
    return states


def _open(path: str | Path) -> xr.Dataset:
    if str(path) == SAMPLE:
        return canonicalise(open_raw(_sample(STATES)))
    if not is_url(str(path)):
        path = Path(path)
        if is_store(path):
            return open_store(path).dataset()
        if is_grib(path):
            return GribSource(path=str(path)).open(tuple(VARIABLES))
        if not path.exists() and partial_path(path).exists():
            raise DataError(f"{path} is not finished; run the same 'sphercast data build' again to resume it")
    return canonicalise(one_version(open_raw(path)))


def find_climatology(path: str | Path) -> Climatology | None:
    """The climatology that belongs to the data at ``path``: a training store's, the sample's, or none."""
    if str(path) == SAMPLE:
        return Climatology.open(_sample(CLIMATOLOGY))
    return open_store(Path(path)).climatology if is_store(Path(path)) else None


def _sample(name: str) -> Path:
    return Path(str(files("data_pipeline.sample"))) / name


def describe(dataset: xr.Dataset) -> str:
    """Variables with levels, period and grid, as a few lines for people."""
    lines = [str(Grid.of(dataset))]
    if "time" in dataset.dims:
        times = [str(time)[:13] for time in dataset["time"].values]
        lines.append(f"{len(times)} times, {times[0]} to {times[-1]}")
    for name, field in dataset.data_vars.items():
        levels = f" at {', '.join(str(level) for level in field['level'].values)} hPa" if "level" in field.dims else ""
        lines.append(f"{name} [{field.attrs['units']}]{levels}")
    return "\n".join(lines)
