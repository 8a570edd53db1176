"""The canonical form: names, units, dimension order and directions, and the check that raises on anything else.

Canonical data have dims ``(time, level, latitude, longitude)``, latitude north to south, longitude 0..360
ascending, level in hPa ascending, SI units and WeatherBench2/ERA5 long names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.channels import LEVELS_HPA
from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, COORDINATE_DECIMALS, COORDINATE_TOLERANCE, Grid
from data_pipeline.variables import CANONICAL_NAME, COORDINATE_ATTRIBUTES, GRAVITY, Variable, variable

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

COORDINATE_NAMES = {
    "valid_time": "time",
    "pressure_level": "level",
    "isobaricInhPa": "level",
    "plev": "level",
    "lat": "latitude",
    "lon": "longitude",
}
DIMENSIONS = ("time", "level", "latitude", "longitude")

_SAME_UNITS = {
    "m/s": "m s-1", "kg/kg": "kg kg-1", "g/kg": "g kg-1", "(0 - 1)": "1", "0-1": "1", "dimensionless": "1",
    "°C": "degC", "C": "degC", "celsius": "degC", "millibars": "hPa", "millibar": "hPa", "mbar": "hPa",
}  # fmt: skip
_CONVERSION: dict[tuple[str, str], tuple[float, float]] = {
    ("degC", "K"): (1.0, 273.15),
    ("hPa", "Pa"): (100.0, 0.0),
    ("gpm", "m2 s-2"): (GRAVITY, 0.0),
    ("m", "m2 s-2"): (GRAVITY, 0.0),
    ("g kg-1", "kg kg-1"): (1e-3, 0.0),
    ("mm", "m"): (1e-3, 0.0),
}
_LEVEL_SCALE = {"hPa": 1.0, "Pa": 0.01}
"""Units of the level axis that are understood, and what makes hPa of them."""


def canonicalise(dataset: xr.Dataset, wanted: Collection[str] | None = None) -> xr.Dataset:
    """Bring reanalysis of any known layout into canonical form, lazily.

    A scalar time or level becomes a dimension of one.

    Parameters
    ----------
    dataset
        Data as a provider labels them (Climate Data Store, WeatherBench2, ...).
    wanted
        Canonical variable names to keep; by default every known variable.

    Raises
    ------
    DataError
        If a wanted variable is missing or occurs twice, units do not convert, or coordinates are not a globe's.
    """
    names = known_names(dataset)
    kept = {new: old for new, old in names.items() if wanted is None or new in wanted}
    missing = sorted(set(wanted or ()) - set(kept))
    if missing or not kept:
        have = ", ".join(sorted(str(name) for name in dataset.data_vars)) or "no variable"
        raise DataError(
            f"the data lack {', '.join(missing) or 'every variable that is asked for'}; they have {have}; "
            f"sphercast reads {', '.join(sorted(CANONICAL_NAME))}"
        )
    dataset = orient(_with_axes(_rename(dataset[list(kept.values())], kept)))
    dataset = dataset.transpose(*DIMENSIONS, missing_dims="ignore")
    canonical = xr.Dataset({str(name): _convert_units(field) for name, field in dataset.data_vars.items()})
    check(canonical)
    return canonical


def plain_units(units: str) -> str:
    """Units spelt as in the table of variables.

    >>> plain_units("m**2 s**-2"), plain_units("m^2 s^-2"), plain_units("m/s")
    ('m2 s-2', 'm2 s-2', 'm s-1')
    """
    plain = units.replace("**", "").replace("^", "")
    return _SAME_UNITS.get(plain, plain)


def known_names(dataset: xr.Dataset) -> dict[str, str]:
    """``{canonical name: name in the dataset}`` of the variables that sphercast knows.

    Raises
    ------
    DataError
        If two of the dataset's variables are the same one (``z`` and ``gh``).
    """
    names: dict[str, str] = {}
    for old in map(str, dataset.data_vars):
        new = _canonical_name(dataset[old])
        if new in names:
            raise DataError(f"{names[new]!r} and {old!r} are both {new}; drop one of them")
        if new is not None:
            names[new] = old
    return names


def _canonical_name(field: xr.DataArray) -> str | None:
    """ECMWF calls geopotential ``z`` on levels and on the ground alike; GRIB's type of level tells them apart."""
    if field.name == "z" and field.attrs.get("GRIB_typeOfLevel") == "surface":
        return "geopotential_at_surface"
    return CANONICAL_NAME.get(str(field.name))


def check(dataset: xr.Dataset) -> None:
    """Raise a DataError unless ``dataset`` is in canonical form (labels only; values are quality's matter)."""
    for name, field in dataset.data_vars.items():
        entry = variable(str(name))
        expected = tuple(dim for dim in DIMENSIONS if dim in field.dims)
        if field.dims != expected or not {"latitude", "longitude"} <= set(field.dims):
            raise DataError(f"{name} has dims {field.dims}, expected {DIMENSIONS} in this order; canonicalise first")
        _check_level_axis(field, entry)
        if field.attrs.get("units") != entry.units:
            raise DataError(f"{name} is in {field.attrs.get('units')!r}, expected {entry.units!r}; canonicalise first")
    Grid.of(dataset)
    if "level" in dataset.dims and not np.all(np.diff(dataset["level"]) > 0):
        raise DataError(f"levels must ascend, got {dataset['level'].values.tolist()}; canonicalise first")


def _check_level_axis(field: xr.DataArray, entry: Variable) -> None:
    if entry.on_levels and "level" not in field.dims:
        raise DataError(
            f"{entry.name} has no pressure level, expected a 'level' dimension or coordinate; add it in hPa, or call "
            "it geopotential_at_surface if it is the geopotential of the ground"
        )
    if not entry.on_levels and "level" in field.dims:
        raise DataError(f"{entry.name} has a 'level' dimension, expected a single-level field; select one level first")


def _rename(dataset: xr.Dataset, variables: dict[str, str]) -> xr.Dataset:
    """Coordinates and variables under their canonical names; ``variables`` is {canonical: present}."""
    names = {old: new for old, new in COORDINATE_NAMES.items() if old in dataset.variables and new not in dataset.dims}
    dataset = dataset.drop_vars([new for new in names.values() if new in dataset.variables]).rename(names)
    return dataset.rename({old: new for new, old in variables.items() if old != new})


def _with_axes(dataset: xr.Dataset) -> xr.Dataset:
    """Exactly the canonical dimensions, each with its coordinate."""
    for name in ("latitude", "longitude"):
        if name not in dataset.indexes:
            raise DataError(
                f"no {name} axis; got dims {tuple(dataset.dims)} with coordinates {tuple(dataset.indexes)}, "
                "expected a latitude-longitude grid in degrees; regrid the data, or label them"
            )
    for name in ("time", "level"):
        if name in dataset.coords and dataset[name].ndim == 0:
            dataset = _expand(dataset, name)
    labels = [str(name) for name in dataset.coords if name not in dataset.dims or name not in DIMENSIONS]
    return _without_singletons(dataset.drop_vars(labels))


def _expand(dataset: xr.Dataset, axis: str) -> xr.Dataset:
    """A scalar coordinate as a dimension of one: time of every prognostic variable, level of those on levels."""
    entries = {str(name): variable(str(name)) for name in dataset.data_vars}
    if axis == "time":
        chosen = [name for name, entry in entries.items() if entry.role == "prognostic"]
    else:
        chosen = [name for name, entry in entries.items() if entry.on_levels]
    expanded = dataset[chosen].expand_dims(axis)
    return dataset.drop_vars([axis, *chosen]).assign({name: expanded[name] for name in chosen})


def _without_singletons(dataset: xr.Dataset) -> xr.Dataset:
    extra = [dim for dim in dataset.dims if dim not in DIMENSIONS]
    long = {str(dim): dataset.sizes[dim] for dim in extra if dataset.sizes[dim] > 1}
    if long:
        raise DataError(f"unexpected dimensions {long}; expected {DIMENSIONS}; select one index along each first")
    return dataset.squeeze(extra, drop=True)


def orient(dataset: xr.Dataset) -> xr.Dataset:
    """Latitude north to south, longitude 0..360 ascending, level in whole hPa ascending.

    Fields are indexed, never read. A column that repeats the first one 360 degrees on is left out.

    Raises
    ------
    DataError
        If levels are no pressures.
    """
    latitude, longitude = (_rounded(dataset[name]) for name in ("latitude", "longitude"))
    dataset = dataset.assign_coords(latitude=latitude, longitude=longitude % CIRCLE)
    columns = np.argsort(longitude % CIRCLE, kind="stable")
    dataset = _take(dataset, "longitude", columns[~_repeats(longitude)[columns]])
    dataset = _take(dataset, "latitude", np.argsort(-latitude, kind="stable"))
    if "level" in dataset.dims:
        levels = _levels_in_hpa(dataset["level"])
        dataset = _take(dataset.assign_coords(level=levels), "level", np.argsort(levels, kind="stable"))
    _label_coordinates(dataset)
    return dataset


def _take(dataset: xr.Dataset, dim: str, order: NDArray[np.intp]) -> xr.Dataset:
    """The dataset as it is where ``order`` changes nothing: reading by positions is slow."""
    if np.array_equal(order, np.arange(dataset.sizes[dim])):
        return dataset
    return dataset.isel({dim: order})


def _rounded(degrees: xr.DataArray) -> NDArray[np.float64]:
    return np.asarray(np.round(np.asarray(degrees.values, dtype=np.float64), COORDINATE_DECIMALS), dtype=np.float64)


def _repeats(longitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which columns lie a whole turn east of another one (plotting files close the circle with such a column)."""
    turns = (longitude[:, None] - longitude[None, :]) / CIRCLE
    return np.asarray(np.any(np.abs(turns - 1) < COORDINATE_TOLERANCE / CIRCLE, axis=1))


def _levels_in_hpa(level: xr.DataArray) -> list[int]:
    units = plain_units(str(level.attrs.get("units", "hPa")))
    if units not in _LEVEL_SCALE:
        raise DataError(f"levels are in {units!r}, expected pressure in one of: {', '.join(_LEVEL_SCALE)}")
    pressure = np.asarray(level.values, dtype=np.float64) * _LEVEL_SCALE[units]
    levels = [int(value) for value in np.round(pressure)]
    if not np.allclose(pressure, levels, rtol=0, atol=1e-3) or not all(value in LEVELS_HPA for value in levels):
        expected = f"whole hPa in {LEVELS_HPA[0]}..{LEVELS_HPA[-1]}"
        raise DataError(f"levels are {pressure.tolist()} hPa, expected {expected}; select those, or set their 'units'")
    return levels


def _label_coordinates(dataset: xr.Dataset) -> None:
    for name, attributes in COORDINATE_ATTRIBUTES.items():
        if name in dataset.dims:
            dataset[name].attrs.update(attributes)


def _convert_units(field: xr.DataArray) -> xr.DataArray:
    entry = variable(str(field.name))
    units = plain_units(str(field.attrs.get("units", "")))
    if units != entry.units and (units, entry.units) not in _CONVERSION:
        expected = ", ".join([entry.units, *(old for old, new in _CONVERSION if new == entry.units)])
        raise DataError(f"{field.name} has units {units!r}, expected one of: {expected}; set its 'units' attribute")
    scale, offset = _CONVERSION.get((units, entry.units), (1.0, 0.0))
    converted = field.astype(np.float32)
    if (scale, offset) != (1.0, 0.0):
        converted = (field.astype(np.float64) * scale + offset).astype(np.float32)
    return converted.drop_attrs(deep=False).assign_attrs(entry.attributes)
