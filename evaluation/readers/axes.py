"""Which dimension is what: initial time, lead time, member and grid, in whatever layout a forecast was written.

Layouts differ in what ``time`` is: the valid time (sphercast, anemoi-inference), or the initial time (WeatherBench2,
earth2studio, cfgrib). What stands beside it tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError, listed
from data_pipeline.times import HOUR
from evaluation.readers.fields import HORIZONTAL, UNSTRUCTURED
from evaluation.readers.names import DIMENSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]
    Leads = NDArray[np.timedelta64]

KNOWN = ("initial_time", "lead_time", "realization", "level", "latitude", "longitude")

_DURATIONS = {"hour": "hours", "hr": "hours", "h": "hours", "day": "days", "d": "days", "minute": "minutes"}
"""Names that CF allows, as xarray calls them."""
_ROLES = {"forecast_reference_time": "initial_time", "realization": "realization"}
"""By CF standard name, where a name is not known."""
_LONGEST = np.timedelta64(400, "D")
"""Of a lead time that is believed where only the units of the time axis say when a forecast started."""
_MOST_NAMED = 8
"""Variables, in a message."""


def with_axes(raw: xr.Dataset, path: object) -> xr.Dataset:
    """With ``initial_time`` and ``lead_time`` (dimensions or scalars) and the other names of ``KNOWN``.

    Coordinates that are none of these are dropped; dimensions of one that are not known are, too.

    Raises
    ------
    DataError
        If it is no forecast, times contradict each other, a label stands twice, or a dimension is not known.
    """
    dataset = _points(_rename(_without_bounds(raw)))
    dataset = _with_start(dataset, path)
    if not {"initial_time", "lead_time"} <= set(dataset.variables) or dataset["initial_time"].dtype.kind != "M":
        raise no_forecast(path, dataset)
    lead_time = as_timedelta(dataset["lead_time"], path)
    initial_time = dataset["initial_time"].drop_attrs().astype("datetime64[ns]")
    dataset = dataset.assign_coords(initial_time=initial_time, lead_time=(dataset["lead_time"].dims, lead_time))
    dataset = dataset.drop_vars([str(name) for name in dataset.coords if name not in KNOWN])
    lacking = not ({"latitude", "longitude"} <= set(dataset.coords))
    if lacking or max(dataset["initial_time"].ndim, dataset["lead_time"].ndim) > 1:
        raise no_forecast(path, dataset)
    dataset = dataset.squeeze([dim for dim, size in dataset.sizes.items() if size == 1 and dim not in KNOWN])
    _check_once(dataset, path)
    return dataset


def as_timedelta(lead: xr.DataArray, path: object) -> Leads:
    """Lead times to the second, whether xarray decoded them or left a number with units.

    Raises
    ------
    DataError
        If the units are no duration.
    """
    if lead.dtype.kind != "m":
        if lead.attrs.get("units") in _DURATIONS:
            lead = lead.assign_attrs(units=_DURATIONS[lead.attrs["units"]])
        lead = xr.decode_cf(xr.Dataset({"lead": lead.variable.to_base_variable()}), decode_timedelta=True)["lead"]
    if lead.dtype.kind != "m":
        raise DataError(
            f"{path}: the lead time has units {lead.attrs.get('units')!r}, expected a duration such as 'hours'"
        )
    seconds = np.round(lead.values / np.timedelta64(1, "s")).astype("timedelta64[s]")
    return np.asarray(seconds.astype("timedelta64[ns]"))


def no_forecast(path: object, dataset: xr.Dataset) -> DataError:
    """What to raise for data that are none, which says what they are instead."""
    names = [str(name) for name in dataset.data_vars]
    held = listed(names, _MOST_NAMED) or "nothing"
    if {"time", "latitude", "longitude"} <= set(dataset.dims):
        return DataError(
            f"{path} is no forecast: it has states over time ({held}), as a truth has, and neither an initial time nor "
            "lead times; give the forecasts first and the truth last, e.g. 'sphercast score forecast.nc truth.nc'"
        )
    if "question" in dataset.attrs and "region" in dataset.dims:
        return DataError(f"{path} is a file of scores, expected a forecast; see 'sphercast score compare' and 'plot'")
    return DataError(
        f"{path} is no forecast: it has dims {dict(dataset.sizes)} and holds {held}; "
        "expected fields over time, latitude and longitude with forecast_reference_time (sphercast's NetCDF), or over "
        "an initial time and a lead time (WeatherBench2, earth2studio, cfgrib, C3S); see docs/scores/reading.md"
    )


def _rename(raw: xr.Dataset) -> xr.Dataset:
    if "valid_time" in raw.dims and "time" not in raw.variables:
        raw = raw.rename(valid_time="time")
    present = {*raw.variables, *raw.dims}
    names = {old: new for old, new in DIMENSIONS.items() if old in present}
    for name, coordinate in raw.coords.items():
        role = _ROLES.get(str(coordinate.attrs.get("standard_name")))
        if role is not None and name not in {*names, *DIMENSIONS.values()}:
            names[str(name)] = role
    taken = set(names.values()) & present
    chosen = {new: old for old, new in names.items() if new not in taken}  # a role is given once
    return raw.rename({old: new for new, old in chosen.items()})


def _without_bounds(raw: xr.Dataset) -> xr.Dataset:
    """Ends of accumulations and edges of cells say nothing of which axis is which."""
    bounds = {axis.attrs.get("bounds") for axis in raw.variables.values()}
    return raw.drop_vars([name for name in raw.variables if name in bounds])


def _points(dataset: xr.Dataset) -> xr.Dataset:
    """Points in no order lie along the dimension ``values``, as do their coordinates.

    Anemoi-inference's NetCDF has latitude and longitude as variables that no attribute calls coordinates; in its Zarr
    each of them has a dimension of its own.
    """
    if not set(HORIZONTAL) <= set(dataset.variables):
        return dataset
    dims, sizes = ([getattr(dataset[name], of) for name in HORIZONTAL] for of in ("dims", "shape"))
    if dims[0] == dims[1] and len(dims[0]) == 1:
        along = str(dims[0][0])
    elif UNSTRUCTURED in dataset.dims and sizes == [(dataset.sizes[UNSTRUCTURED],)] * 2:
        along = UNSTRUCTURED
    else:
        return dataset
    labels = {name: (UNSTRUCTURED, dataset[name].values) for name in HORIZONTAL}
    dataset = dataset.drop_vars(HORIZONTAL)
    return (dataset if along == UNSTRUCTURED else dataset.rename({along: UNSTRUCTURED})).assign_coords(labels)


def _with_start(dataset: xr.Dataset, path: object) -> xr.Dataset:
    """Tell ``time`` from its neighbours: as initial time, or as valid time that becomes the lead time."""
    names = set(map(str, dataset.variables))
    if "forecast_period" in names and "lead_time" not in names and dataset["forecast_period"].dims != ("time",):
        dataset, names = dataset.rename(forecast_period="lead_time"), names | {"lead_time"}
    if "lead_time" in names and dataset["lead_time"].dims != ("time",):
        return dataset.rename(time="initial_time") if "time" in names and "initial_time" not in names else dataset
    if "time" not in dataset.dims or "time" not in names or dataset["time"].dtype.kind != "M":
        raise no_forecast(path, dataset)
    if "lead_time" in names:
        dataset = dataset.rename(lead_time="forecast_period")
    start = _start(dataset, path)
    leads = (dataset["time"].values - start).astype("timedelta64[ns]")
    if "forecast_period" in dataset.variables:
        _check_period(as_timedelta(dataset["forecast_period"], path), leads, path)
    dataset = dataset.drop_vars([name for name in ("time", "initial_time") if name in dataset.variables])
    return dataset.rename(time="lead_time").assign_coords(initial_time=start, lead_time=leads)


def _start(dataset: xr.Dataset, path: object) -> np.datetime64:
    """The initial time of a file over valid times."""
    times = dataset["time"].values.astype("datetime64[ns]")
    if "initial_time" in dataset.variables:
        starts = dataset["initial_time"].values
    elif "forecast_period" in dataset.variables:
        starts = times - as_timedelta(dataset["forecast_period"], path)
    elif UNSTRUCTURED in dataset.dims:
        starts = _reference(dataset["time"], path)
    else:
        raise no_forecast(path, dataset)
    if starts.dtype.kind != "M" or len(np.unique(starts)) != 1:
        raise no_forecast(path, dataset)
    return np.datetime64(starts.flat[0], "ns")


def _reference(time: xr.DataArray, path: object) -> Times:
    """What the units of the time axis count from, where anemoi-inference says when a forecast started."""
    units = str(time.encoding.get("units", ""))
    reference: np.datetime64
    try:
        reference = np.datetime64(units.partition(" since ")[2].strip().removesuffix("Z").replace(" ", "T"), "ns")
    except ValueError:
        reference = np.datetime64("NaT", "ns")
    leads = time.values.astype("datetime64[ns]") - reference
    if not np.all((leads >= np.timedelta64(0)) & (leads <= _LONGEST)):  # NaT fails every comparison
        raise DataError(
            f"{path} does not say when the forecast starts (its times are counted in {units!r}); add the scalar "
            "coordinate forecast_reference_time"
        )
    return np.atleast_1d(reference)


def _check_period(stated: Leads, leads: Leads, path: object) -> None:
    if not np.array_equal(stated, leads):
        raise DataError(
            f"{path}: forecast_period says {_hours(stated)} h, but time less forecast_reference_time is "
            f"{_hours(leads)} h; expected them equal; make the file again"
        )


def _check_once(dataset: xr.Dataset, path: object) -> None:
    odd = [str(dim) for dim in dataset.dims if dim not in {*KNOWN, UNSTRUCTURED}]
    if odd:
        raise DataError(f"{path}: unexpected dimensions {odd}, expected only {KNOWN}; select or rename them")
    for name in ("initial_time", "lead_time", "realization", "level"):
        if name in dataset.dims and name in dataset.coords:
            labels, counts = np.unique(dataset[name].values, return_counts=True)
            twice = [_shown(label) for label in labels[counts > 1]]
            if twice:
                raise DataError(
                    f"{path}: along {name}, {', '.join(twice)} stands more than once; which copy is right is not "
                    "known: remove the others"
                )


def _shown(label: np.generic) -> str:
    if isinstance(label, np.timedelta64):
        return f"+{label / HOUR:g} h"
    return str(np.datetime_as_string(label, unit="m")) if isinstance(label, np.datetime64) else f"{label}"


def _hours(leads: Leads) -> list[float]:
    return [float(lead / HOUR) for lead in leads]
