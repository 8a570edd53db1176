"""Files that ``sphercast forecast --points`` writes: values at stations, interpolated already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DAMAGES, DataError
from evaluation.plots.places.place import Place, coordinates_in, position_of
from evaluation.readers.axes import with_axes
from evaluation.readers.names import canonical, conversion

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = "station_name"
_SUFFIXES = (".nc", ".nc4")


def is_station_file(path: str | Path) -> bool:
    """Whether it is a NetCDF file of stations with names."""
    file = Path(path)
    if file.suffix not in _SUFFIXES or not file.is_file():
        return False
    try:
        with _opened(file) as raw:
            return NAMES in raw.variables and raw[NAMES].ndim == 1
    except DAMAGES:
        return False  # the readers say what is wrong with it


def station_run(path: Path, at: str) -> tuple[xr.Dataset, Place]:
    """The run of a file at one of its stations, in memory, and where that is.

    The run is as ``evaluation.readers`` gives it, but without latitude and longitude.

    Raises
    ------
    DataError
        If the file has no such station, or times or units are not understood.
    """
    with _opened(path) as raw:
        names = tuple(str(name).strip() for name in raw[NAMES].values)
        if coordinates_in(at) is not None:
            raise DataError(f"{path} holds the stations {', '.join(names)}; give the name of one: --at {names[0]!r}")
        position = position_of(at, names, str(path))
        one = raw.isel({raw[NAMES].dims[0]: position}).load()
    altitude = float(one["altitude"]) if "altitude" in one.variables else None
    place = Place(float(one["latitude"]), float(one["longitude"]), names[position], altitude)
    dataset = with_axes(one.drop_vars([NAMES]), path)
    fields = {
        canonical(field, levels_in_names=False)[0]: _converted(field, path)
        for field in dataset.data_vars.values()
        if "lead_time" in field.dims
    }
    labels = {name: axis for name, axis in dataset.coords.items() if name not in {"latitude", "longitude"}}
    about = {**raw.attrs, "path": str(path), "files": (str(path),)}
    return xr.Dataset(fields, labels, about), place


def _converted(field: xr.DataArray, path: Path) -> tuple[tuple[str, ...], NDArray[np.float64], dict[str, object]]:
    name, _ = canonical(field, levels_in_names=False)
    how, attributes = conversion(name, field, path)
    return tuple(map(str, field.dims)), field.values.astype(np.float64) * how.scale + how.offset, attributes


def _opened(path: Path) -> xr.Dataset:
    return xr.open_dataset(path, engine="netcdf4", cache=False, decode_timedelta=False)
