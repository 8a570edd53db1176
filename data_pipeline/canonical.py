"""The canonical form: names, units, dimension order and directions, and the check that raises on anything else.

Canonical data have dims ``(time, level, latitude, longitude)``, latitude north to south, longitude 0..360
ascending, level in hPa ascending, SI units and WeatherBench2/ERA5 long names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import COORDINATE_TOLERANCE, Grid
from data_pipeline.variables import CANONICAL_NAME, GRAVITY, VARIABLES, variable

if TYPE_CHECKING:
    from collections.abc import Collection

COORDINATE_NAMES = {
    "valid_time": "time",
    "pressure_level": "level",
    "isobaricInhPa": "level",
    "plev": "level",
    "lat": "latitude",
    "lon": "longitude",
}
DIMENSIONS = ("time", "level", "latitude", "longitude")

_SAME_UNITS = {"m**2 s**-2": "m2 s-2", "m^2 s^-2": "m2 s-2", "m s**-1": "m s-1", "m/s": "m s-1", "s**-1": "s-1",
               "kg kg**-1": "kg kg-1", "kg/kg": "kg kg-1", "(0 - 1)": "1", "0-1": "1", "dimensionless": "1", "°C": "degC", "C": "degC",
               "celsius": "degC", "millibars": "hPa", "mbar": "hPa"}  # fmt: skip
_CONVERSION: dict[tuple[str, str], tuple[float, float]] = {
    ("degC", "K"): (1.0, 273.15),
    ("hPa", "Pa"): (100.0, 0.0),
    ("gpm", "m2 s-2"): (GRAVITY, 0.0),
    ("m", "m2 s-2"): (GRAVITY, 0.0),
    ("g kg-1", "kg kg-1"): (1e-3, 0.0),
    ("mm", "m"): (1e-3, 0.0),
}


def canonicalise(dataset: xr.Dataset, wanted: Collection[str] | None = None) -> xr.Dataset:
    """Bring reanalysis of any known layout into canonical form, lazily.

    Parameters
    ----------
    dataset
        Data as a provider labels them (Climate Data Store, WeatherBench2, ...).
    wanted
        Canonical variable names to keep; by default every known variable.

    Raises
    ------
    DataError
        If a wanted variable is missing, units do not convert, or coordinates are not a globe's.
    """
    dataset = _rename(dataset)
    kept = [str(name) for name in dataset.data_vars if name in VARIABLES and (wanted is None or name in wanted)]
    missing = sorted(set(wanted or ()) - set(kept))
    if missing or not kept:
        have = ", ".join(sorted(str(name) for name in dataset.data_vars))
        raise DataError(f"the data lack {', '.join(missing) or 'every variable that sphercast knows'}; they have {have}")
    dataset = _orient(dataset[kept])
    return xr.Dataset({str(name): _convert_units(field) for name, field in dataset.data_vars.items()})


def check(dataset: xr.Dataset) -> None:
    """Raise a DataError unless ``dataset`` is in canonical form (labels only; values are quality's matter)."""
    for name, field in dataset.data_vars.items():
        entry = variable(str(name))
        expected = tuple(dim for dim in DIMENSIONS if dim in field.dims)
        if field.dims != expected or not {"latitude", "longitude"} <= set(field.dims):
            raise DataError(f"{name} has dims {field.dims}, expected {DIMENSIONS} in this order; canonicalise first")
        if field.attrs.get("units") != entry.units:
            raise DataError(f"{name} is in {field.attrs.get('units')!r}, expected {entry.units!r}; canonicalise first")
    Grid.of(dataset)
    if "level" in dataset.dims and np.any(np.diff(dataset["level"]) <= 0):
        raise DataError(f"levels must ascend, got {dataset['level'].values.tolist()}; canonicalise first")


def _rename(dataset: xr.Dataset) -> xr.Dataset:
    names = {old: new for old, new in COORDINATE_NAMES.items() if old in dataset.variables and new not in dataset.dims}
    dataset = dataset.drop_vars([new for new in names.values() if new in dataset.variables]).rename(names)
    variables = {str(old): CANONICAL_NAME[str(old)] for old in dataset.data_vars if str(old) in CANONICAL_NAME}
    dataset = dataset.rename({old: new for old, new in variables.items() if old != new})
    if "time" in dataset.coords and "time" not in dataset.dims:
        dataset = dataset.expand_dims("time")
    for name in ("latitude", "longitude"):
        if name not in dataset.dims:
            raise DataError(f"no {name} dimension; got dims {tuple(dataset.dims)}, expected a latitude-longitude grid")
    labels = [str(name) for name in dataset.coords if name not in DIMENSIONS]
    return _without_singletons(dataset.drop_vars(labels))


def _without_singletons(dataset: xr.Dataset) -> xr.Dataset:
    extra = [dim for dim in dataset.dims if dim not in DIMENSIONS]
    long = {str(dim): dataset.sizes[dim] for dim in extra if dataset.sizes[dim] > 1}
    if long:
        raise DataError(f"unexpected dimensions {long}; expected {DIMENSIONS}; select one index along each first")
    return dataset.squeeze(extra, drop=True)


def _orient(dataset: xr.Dataset) -> xr.Dataset:
    longitude = np.round(np.asarray(dataset["longitude"].values, dtype=np.float64), 6) % 360.0
    dataset = dataset.assign_coords(
        latitude=np.round(np.asarray(dataset["latitude"].values, dtype=np.float64), 6), longitude=longitude
    )
    first = np.unique(np.round(longitude / COORDINATE_TOLERANCE).astype(np.int64), return_index=True)[1]
    dataset = dataset.isel(longitude=np.sort(first)).sortby("longitude").sortby("latitude", ascending=False)
    if "level" in dataset.dims:
        dataset = dataset.assign_coords(level=_levels_in_hpa(dataset["level"])).sortby("level")
    _label_coordinates(dataset)
    return dataset.transpose(*DIMENSIONS, missing_dims="ignore")


def _levels_in_hpa(level: xr.DataArray) -> list[int]:
    scale = 0.01 if level.attrs.get("units") == "Pa" else 1.0
    return [int(value) for value in np.round(np.asarray(level.values, dtype=np.float64) * scale)]


def _label_coordinates(dataset: xr.Dataset) -> None:
    dataset["latitude"].attrs.update(standard_name="latitude", units="degrees_north")
    dataset["longitude"].attrs.update(standard_name="longitude", units="degrees_east")
    if "level" in dataset.dims:
        dataset["level"].attrs.update(standard_name="air_pressure", units="hPa", positive="down")


def _convert_units(field: xr.DataArray) -> xr.DataArray:
    entry = variable(str(field.name))
    units = str(field.attrs.get("units", ""))
    units = _SAME_UNITS.get(units, units)
    if units != entry.units and (units, entry.units) not in _CONVERSION:
        expected = ", ".join([entry.units, *(old for old, new in _CONVERSION if new == entry.units)])
        raise DataError(f"{field.name} has units {units!r}, expected one of: {expected}; set its 'units' attribute")
    scale, offset = _CONVERSION.get((units, entry.units), (1.0, 0.0))
    converted = field.astype(np.float32)
    if (scale, offset) != (1.0, 0.0):
        converted = (field.astype(np.float64) * scale + offset).astype(np.float32)
    attributes = {"standard_name": entry.standard_name, "long_name": entry.long_name, "units": entry.units}
    return converted.drop_attrs(deep=False).assign_attrs(attributes)
