"""The axes of the canonical form: directions, order and units of the labels. Fields are indexed, never read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import LEVELS_HPA
from data_pipeline.grid import CIRCLE, COORDINATE_DECIMALS, COORDINATE_TOLERANCE
from data_pipeline.quality.findings import DefectError, Report
from data_pipeline.units import plain_units
from data_pipeline.variables import COORDINATE_ATTRIBUTES

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEVEL_SCALE = {"hPa": 1.0, "Pa": 0.01}
"""Units of the level axis that are understood, and what makes hPa of them."""
_REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_LEVEL_DIGITS = 1e-3
"""hPa within which a level is a whole number: labels in float32 are not exact."""


def orient(dataset: xr.Dataset, report: Report | None = None) -> xr.Dataset:
    """Latitude north to south, longitude 0..360 ascending, level in whole hPa ascending; repairs go to the report.

    A column that repeats the first one 360 degrees on is left out.

    Raises
    ------
    DataError
        If levels are no pressures.
    """
    report = Report() if report is None else report
    dataset = _northern_first(_eastward(dataset, report), report)
    if "level" in dataset.dims:
        dataset = _downward(dataset, report)
    for name, attributes in COORDINATE_ATTRIBUTES.items():
        if name in dataset.dims:
            dataset[name].attrs.update(attributes)
    return dataset


def in_time_order(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    """With times as datetime64[ns], sorted. A time that occurs twice stays so: which copy is right is not known.

    Raises
    ------
    DataError
        If the axis holds no dates, or those of a calendar that is not the real one.
    """
    if "time" not in dataset.dims:
        return dataset
    times = _dates(dataset["time"], report)
    order = np.argsort(times, kind="stable")
    if np.any(np.diff(order) < 0):
        count = int(np.sum(np.diff(times) < np.timedelta64(0)))
        report.add("time-sorted", "times did not ascend; they were sorted", count=count, repaired=True)
    return take(dataset.assign_coords(time=("time", times, dataset["time"].attrs)), "time", order)


def take(dataset: xr.Dataset, dim: str, order: NDArray[np.intp]) -> xr.Dataset:
    """The dataset as it is where ``order`` changes nothing: reading by positions is slow."""
    if np.array_equal(order, np.arange(dataset.sizes[dim])):
        return dataset
    return dataset.isel({dim: order})


def _eastward(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    degrees = _rounded(dataset["longitude"])
    repeats = _repeats(degrees)
    if repeats.any():
        doubled = ", ".join(f"{degree:g}" for degree in degrees[repeats])
        message = f"the columns at {doubled} degrees repeat others a whole turn away; they were left out"
        report.add("column-duplicate", message, count=int(repeats.sum()), repaired=True)
    wrapped = degrees % CIRCLE
    columns = np.argsort(wrapped, kind="stable")
    columns = columns[~repeats[columns]]
    if np.any(np.diff(columns) < 0) or np.any(wrapped[~repeats] != degrees[~repeats]):
        message = f"longitudes ran {_ends(degrees)}; columns were put in the order 0..360"
        report.add("longitude-rolled", message, repaired=True)
    return take(dataset.assign_coords(longitude=wrapped), "longitude", columns)


def _northern_first(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    degrees = _rounded(dataset["latitude"])
    rows = np.argsort(-degrees, kind="stable")
    if np.any(np.diff(rows) < 0):
        message = f"latitudes ran {_ends(degrees)}; rows were put in order from north to south"
        report.add("latitude-flipped", message, repaired=True)
    return take(dataset.assign_coords(latitude=degrees), "latitude", rows)


def _downward(dataset: xr.Dataset, report: Report) -> xr.Dataset:
    levels = _levels_in_hpa(dataset["level"], report)
    order = np.argsort(levels, kind="stable")
    if np.any(np.diff(order) < 0):
        report.add("levels-sorted", f"levels were {levels} hPa; they were put in ascending order", repaired=True)
    return take(dataset.assign_coords(level=levels), "level", order)


def _levels_in_hpa(level: xr.DataArray, report: Report) -> list[int]:
    units = plain_units(str(level.attrs.get("units", "hPa")))
    if units not in _LEVEL_SCALE:
        expected = ", ".join(_LEVEL_SCALE)
        raise DefectError("levels-invalid", f"levels are in {units!r}, expected pressure in one of: {expected}")
    labels = np.asarray(level.values, dtype=np.float64)
    pressure = labels * _LEVEL_SCALE[units]
    if not _are_levels(pressure).all():
        raise _bad_levels(labels, pressure)
    if units == "Pa":
        report.add("levels-in-pascal", "levels were in Pa; they were converted to hPa", repaired=True)
    return [int(value) for value in np.round(pressure)]


def _are_levels(pressure: Floats) -> NDArray[np.bool_]:
    whole = np.round(pressure)
    near = np.abs(pressure - whole) <= _LEVEL_DIGITS
    return np.asarray(near & (whole >= LEVELS_HPA[0]) & (whole <= LEVELS_HPA[-1]))


def _bad_levels(labels: Floats, pressure: Floats) -> DefectError:
    expected = f"whole hPa in {LEVELS_HPA[0]}..{LEVELS_HPA[-1]}"
    in_pascal, in_hpa = (labels > LEVELS_HPA[-1]) & _are_levels(labels / 100), _are_levels(labels)
    if in_pascal.any() and in_hpa.any() and (in_pascal | in_hpa).all():
        message = (
            f"levels {labels[in_hpa].tolist()} look like hPa and {labels[in_pascal].tolist()} like Pa on one axis, "
            f"expected {expected}; label them all in one unit"
        )
        return DefectError("levels-mixed-units", message)
    message = f"levels are {pressure.tolist()} hPa, expected {expected}; select those, or set their 'units'"
    return DefectError("levels-invalid", message)


def _dates(time: xr.DataArray, report: Report) -> NDArray[np.datetime64]:
    values = time.values
    if values.dtype.kind == "O" and all(hasattr(value, "calendar") for value in values):
        return _real_dates(time, report)
    if values.dtype.kind != "M" or np.isnat(values).any():
        got = "no date at some index" if values.dtype.kind == "M" else f"{values.dtype} numbers"
        raise DefectError("time-invalid", f"the time axis holds {got}, expected dates; set CF 'units' and 'calendar'")
    return np.asarray(values.astype("datetime64[ns]"))


def _real_dates(time: xr.DataArray, report: Report) -> NDArray[np.datetime64]:
    calendar = str(time.dt.calendar)
    if calendar not in _REAL_CALENDARS:
        message = f"times are of the calendar {calendar!r}, expected one of: {', '.join(_REAL_CALENDARS)}"
        raise DefectError("calendar-unsupported", message)
    report.add("calendar-converted", f"times of the calendar {calendar!r} became datetime64", repaired=True)
    return np.array([np.datetime64(value.isoformat(), "ns") for value in time.values])


def _rounded(degrees: xr.DataArray) -> Floats:
    return np.asarray(np.round(np.asarray(degrees.values, dtype=np.float64), COORDINATE_DECIMALS), dtype=np.float64)


def _repeats(longitude: Floats) -> NDArray[np.bool_]:
    """Which columns lie a whole turn east of another one (plotting files close the circle with such a column)."""
    ordered, west = np.sort(longitude), longitude - CIRCLE
    first = np.searchsorted(ordered, west - COORDINATE_TOLERANCE)
    return np.asarray(first < np.searchsorted(ordered, west + COORDINATE_TOLERANCE, side="right"))


def _ends(values: Floats) -> str:
    return f"{values[0]:g}..{values[-1]:g}"
