"""The canonical form: names, units, dimension order and directions, and the check that raises on anything else.

Canonical data have dims ``(time, level, latitude, longitude)``, latitude north to south, longitude 0..360
ascending, level in hPa ascending, times ascending, SI units and WeatherBench2/ERA5 long names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.axes import in_time_order, orient
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import DefectError, Report
from data_pipeline.units import Conversion, conversions, plain_units
from data_pipeline.variables import CANONICAL_NAME, VARIABLES, Variable, variable

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["COORDINATE_NAMES", "DIMENSIONS", "canonicalise", "check", "known_names", "note_unknown", "orient",
           "plain_units", "unknown_names"]  # fmt: skip

COORDINATE_NAMES = {
    "valid_time": "time",
    "pressure_level": "level",
    "isobaricInhPa": "level",
    "plev": "level",
    "lat": "latitude",
    "lon": "longitude",
}
MEMBER_NAMES = ("realization", "number", "member", "ensemble", "sample")
"""Dimensions along which the members of an ensemble lie."""
DIMENSIONS = ("time", "level", "latitude", "longitude")


def canonicalise(
    dataset: xr.Dataset, wanted: Collection[str] | None = None, *, report: Report | None = None, others: bool = False
) -> xr.Dataset:
    """Bring reanalysis of any known layout into canonical form, lazily.

    A scalar time or level becomes a dimension of one. Times that are out of order are sorted.

    Parameters
    ----------
    dataset
        Data as a provider labels them (Climate Data Store, WeatherBench2, ...).
    wanted
        Canonical variable names to keep; by default every known variable.
    report
        Where every repair is said, with its code.
    others
        Keep numbers over the same axes that no table of variables knows, too: their names, values and units stay.

    Raises
    ------
    DataError
        If a wanted variable is missing or occurs twice, units do not convert, or coordinates are not a globe's. It is
        a ``DefectError``, which has the code of the defect.
    """
    unknown = _over_axes(dataset, unknown_names(dataset)) if others else []
    kept = _kept(dataset, wanted, unknown)
    if report is None:
        report = Report()
    else:
        _note_preliminary(dataset, report)
        if wanted is None:
            note_unknown(unknown_names(dataset), report)
    _note_names(kept, report)
    dataset = _with_axes(_rename(dataset[list(kept.values())], kept), report)
    dataset = _in_dimension_order(in_time_order(orient(dataset, report), report), report)
    known = {name: _convert_units(dataset[name], report) for name in kept if name not in unknown}
    check(xr.Dataset(known, dataset.coords))
    return xr.Dataset(known | {name: dataset[name] for name in unknown}, dataset.coords)


def _kept(dataset: xr.Dataset, wanted: Collection[str] | None, unknown: Collection[str] = ()) -> dict[str, str]:
    """``{canonical name: name in the dataset}`` of what is wanted or unknown, or a DataError that lists what lacks."""
    kept = {new: old for new, old in known_names(dataset).items() if wanted is None or new in wanted}
    kept |= {name: name for name in unknown}
    missing = sorted(set(wanted or ()) - set(kept))
    if missing or not kept:
        have = ", ".join(sorted(str(name) for name in dataset.data_vars)) or "no variable"
        raise DefectError(
            "variable-missing",
            f"the data lack {', '.join(missing) or 'every variable that is asked for'}; they have {have}; "
            f"sphercast reads {', '.join(sorted(CANONICAL_NAME))}",
        )
    return kept


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
            message = f"{names[new]!r} and {old!r} are both {new}; drop one of them"
            raise DefectError("variable-doubled", message, old)
        if new is not None:
            names[new] = old
    return names


def unknown_names(dataset: xr.Dataset) -> list[str]:
    """Fields of a dataset that sphercast does not know, sorted; not bounds of cells, nor series or numbers."""
    bounds = {coordinate.attrs.get("bounds") for coordinate in dataset.coords.values()}
    fields = {str(name) for name, field in dataset.data_vars.items() if field.ndim > 1}
    return sorted(fields - bounds - set(known_names(dataset).values()))


def _over_axes(dataset: xr.Dataset, names: Collection[str]) -> list[str]:
    """Those that are numbers over time, latitude and longitude, and over levels if any, under whatever name."""

    def axes(field: xr.DataArray) -> set[str]:
        long = {str(dim) for dim in field.dims if field.sizes[dim] > 1 or str(dim) in {*DIMENSIONS, *COORDINATE_NAMES}}
        return {COORDINATE_NAMES.get(dim, dim) for dim in long}

    return [
        name for name in names
        if {"latitude", "longitude"} <= axes(dataset[name]) <= set(DIMENSIONS) and dataset[name].dtype.kind in "iuf"
    ]  # fmt: skip


def note_unknown(names: Collection[str], report: Report) -> None:
    """Say which variables nobody looks at, if there are any."""
    if names:
        message = f"not looked at: {', '.join(names)} (no such names in the table of variables); rename what is known"
        report.add("variables-unknown", message, count=len(names))


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
            message = f"{name} has dims {field.dims}, expected {DIMENSIONS} in this order; canonicalise first"
            raise DefectError("dims-order", message, str(name))
        _check_level_axis(field, entry)
        if field.attrs.get("units") != entry.units:
            message = f"{name} is in {field.attrs.get('units')!r}, expected {entry.units!r}; canonicalise first"
            raise DefectError("units-unknown", message, str(name))
    _check_grid(dataset)
    if "level" in dataset.dims:
        _check_levels(dataset["level"].values.tolist())


def _check_grid(dataset: xr.Dataset) -> None:
    try:
        Grid.of(dataset)
    except DataError as error:
        raise DefectError("grid-invalid", str(error)) from None


def _check_levels(levels: list[int]) -> None:
    if not np.all(np.diff(levels) > 0):
        code = "levels-duplicate" if len(set(levels)) < len(levels) else "levels-unsorted"
        raise DefectError(code, f"levels must ascend, got {levels}; canonicalise first")


def _check_level_axis(field: xr.DataArray, entry: Variable) -> None:
    if entry.on_levels == ("level" in field.dims):
        return
    if entry.on_levels:
        message = (
            f"{entry.name} has no pressure level, expected a 'level' dimension or coordinate; add it in hPa, or call "
            "it geopotential_at_surface if it is the geopotential of the ground"
        )
    else:
        message = f"{entry.name} has a 'level' dimension, expected a single-level field; select one level first"
    raise DefectError("level-axis-wrong", message, entry.name)


def _note_names(kept: dict[str, str], report: Report) -> None:
    renamed = [f"{old} is {new}" for new, old in kept.items() if old != new]
    if renamed:
        report.add("variables-renamed", ", ".join(renamed), count=len(renamed), repaired=True)


def _note_preliminary(dataset: xr.Dataset, report: Report) -> None:
    """The Climate Data Store marks each time: 0001 is final (ERA5), 0005 preliminary (ERA5T)."""
    if "expver" in dataset.coords and dataset["expver"].ndim == 1 and "expver" not in dataset.dims:
        versions = np.asarray(dataset["expver"].values).astype(str)
        preliminary = np.char.lstrip(versions, "0") == "5"
        if preliminary.any():
            message = "times are preliminary (ERA5T); download them again when they are final, after about 3 months"
            report.add("preliminary", message, count=int(preliminary.sum()))


def _rename(dataset: xr.Dataset, variables: dict[str, str]) -> xr.Dataset:
    """Coordinates and variables under their canonical names; ``variables`` is {canonical: present}."""
    names = {old: new for old, new in COORDINATE_NAMES.items() if old in dataset.variables and new not in dataset.dims}
    dataset = dataset.drop_vars([new for new in names.values() if new in dataset.variables]).rename(names)
    return dataset.rename({old: new for new, old in variables.items() if old != new})


def _with_axes(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    """Exactly the canonical dimensions, each with its coordinate."""
    for name in ("latitude", "longitude"):
        if name not in dataset.indexes:
            raise DefectError(
                "axis-missing",
                f"no {name} axis; got dims {tuple(dataset.dims)} with coordinates {tuple(dataset.indexes)}, "
                "expected a latitude-longitude grid in degrees; regrid the data, or label them",
            )
    for name in ("time", "level"):
        if name in dataset.coords and dataset[name].ndim == 0:
            dataset = _expand(dataset, name, report)
    labels = [str(name) for name in dataset.coords if name not in dataset.dims or name not in DIMENSIONS]
    return _without_singletons(dataset.drop_vars(labels), report)


def _expand(dataset: xr.Dataset, axis: str, report: Report) -> xr.Dataset:
    """A scalar coordinate as a dimension of one: time of all that is not static, level of what is known to have one."""
    entries = {str(name): VARIABLES.get(str(name)) for name in dataset.data_vars}
    if axis == "time":
        chosen = [name for name, entry in entries.items() if entry is None or entry.role == "prognostic"]
    else:
        chosen = [name for name, entry in entries.items() if entry is not None and entry.on_levels]
    if chosen:
        report.add("dims-expanded", f"the scalar {axis} became a dimension of one", count=len(chosen), repaired=True)
    expanded = dataset[chosen].expand_dims(axis)
    return dataset.drop_vars([axis, *chosen]).assign({name: expanded[name] for name in chosen})


def _without_singletons(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    extra = [dim for dim in dataset.dims if dim not in DIMENSIONS]
    long = {str(dim): dataset.sizes[dim] for dim in extra if dataset.sizes[dim] > 1}
    if long:
        members = ", with 'member' along members" if set(long) & set(MEMBER_NAMES) else ""
        message = f"unexpected dimensions {long}; expected {DIMENSIONS}; select one index along each first{members}"
        raise DefectError("dims-unexpected", message)
    if extra:
        dropped = ", ".join(map(str, extra))
        report.add("dims-singleton", f"the dimensions {dropped} of one were dropped", count=len(extra), repaired=True)
    return dataset.squeeze(extra, drop=True)


def _in_dimension_order(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    transposed = dataset.transpose(*DIMENSIONS, missing_dims="ignore")
    moved = [f"{name} {field.dims}" for name, field in dataset.data_vars.items() if transposed[name].dims != field.dims]
    if moved:
        message = f"{moved[0]} was put in the order {DIMENSIONS}"
        report.add("dims-transposed", message, count=len(moved), repaired=True)
    return transposed


def _convert_units(field: xr.DataArray, report: Report) -> xr.DataArray:
    entry = variable(str(field.name))
    units = plain_units(str(field.attrs.get("units", "")))
    known = conversions(entry)
    if units not in known:
        message = f"{field.name} has units {units!r}, expected one of: {', '.join(known)}; set its 'units' attribute"
        raise DefectError("units-unknown", message, entry.name)
    converted = field.astype(np.float32)
    scale, offset = known[units]
    if (scale, offset) != Conversion():
        converted = (field.astype(np.float64) * scale + offset).astype(np.float32)
        message = f"values were converted from {units} to {entry.units}"
        report.add("units-converted", message, variable=entry.name, repaired=True)
    return converted.drop_attrs(deep=False).assign_attrs(entry.attributes)
