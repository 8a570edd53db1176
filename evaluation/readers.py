"""Forecast files, ours and others', as one layout: runs over lead_time, realization, level, latitude, longitude.

Two layouts are known: sphercast's CF NetCDF (one initial time; ``time`` is the valid time, with a
``forecast_period`` and a scalar ``forecast_reference_time``) and WeatherBench2's (``time`` is the initial
time, beside ``prediction_timedelta``), each in NetCDF or Zarr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.canonical import COORDINATE_NAMES, orient
from data_pipeline.errors import DataError
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from pathlib import Path

DIMENSIONS = ("initial_time", "lead_time", "realization", "level", "latitude", "longitude")

_NAMES = {
    **dict.fromkeys(("number", "member", "ensemble", "sample"), "realization"),
    **dict.fromkeys(("prediction_timedelta", "step"), "lead_time"),
    "init_time": "initial_time",
    **{old: new for old, new in COORDINATE_NAMES.items() if new != "time"},
}

_DURATIONS = {"hour": "hours", "hr": "hours", "h": "hours", "day": "days", "d": "days", "minute": "minutes"}
"""Names that CF allows, as xarray calls them."""


def open_runs(path: Path) -> list[xr.Dataset]:
    """The runs of a forecast file or Zarr store, each of one (scalar) ``initial_time``, datetime64[ns].

    ``lead_time`` is timedelta64[ns]; the other dimensions are those of ``DIMENSIONS`` that the file has, in its own
    order (a deterministic run has no ``realization``). Fields are read field by field when they are asked for, without
    dask. Variables that do not depend on the lead time are no forecast and are left out.

    Raises
    ------
    DataError
        If the file is absent, unreadable or no forecast.
    """
    dataset = _read(path)
    if "initial_time" not in dataset.dims:
        return [dataset]
    return [dataset.isel(initial_time=index) for index in range(dataset.sizes["initial_time"])]


def open_run(path: Path) -> xr.Dataset:
    """The run of a file that holds one, as ``open_runs`` gives it.

    Raises
    ------
    DataError
        As ``open_runs``, and if the file holds several.
    """
    runs = open_runs(path)
    if len(runs) != 1:
        raise DataError(f"{path} holds {len(runs)} initial times, expected one; select one of them")
    return runs[0]


def _read(path: Path) -> xr.Dataset:
    dataset = _with_leads(_rename(_open(path)), path)
    lacking = [dim for dim in ("lead_time", "latitude", "longitude") if dim not in dataset.dims]
    fields = [name for name, field in dataset.data_vars.items() if "lead_time" in field.dims]
    if lacking or not fields:
        raise _no_forecast(path, dataset)
    dataset = dataset[fields].reset_coords(drop=True).assign_coords(initial_time=dataset["initial_time"])
    odd = [str(dim) for dim in dataset.dims if dim not in DIMENSIONS]
    if odd:
        raise DataError(f"{path}: unexpected dimensions {odd}, expected only {DIMENSIONS}; select or rename them")
    return orient(dataset).assign_attrs(path=str(path))


def _open(path: Path) -> xr.Dataset:
    engine = "zarr" if path.is_dir() else "netcdf4"
    options = {"consolidated": False} if engine == "zarr" else {}
    try:
        return xr.open_dataset(
            path, engine=engine, chunks=None, cache=False, decode_timedelta=False, backend_kwargs=options
        )
    except FileNotFoundError:
        raise DataError(f"{path} is no forecast: no such NetCDF file or Zarr store; check the path") from None
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected a whole NetCDF-4 file or Zarr store; make it again"
        ) from error


def _rename(dataset: xr.Dataset) -> xr.Dataset:
    present = {*dataset.variables, *dataset.dims}
    return dataset.rename({old: new for old, new in _NAMES.items() if old in present and new not in dataset.variables})


def _with_leads(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    """With ``initial_time`` and ``lead_time``, whichever of the two layouts the file has."""
    if "lead_time" in dataset.coords:
        if "time" in dataset.coords and "initial_time" not in dataset.coords:
            dataset = dataset.rename(time="initial_time")
        lead_time = _timedelta(dataset["lead_time"], path)
    elif "forecast_reference_time" in dataset.variables and "time" in dataset.dims:
        lead_time = _leads_of_valid_times(dataset, path)
        dataset = dataset.rename(time="lead_time", forecast_reference_time="initial_time")
    else:
        raise _no_forecast(path, dataset)
    if "initial_time" not in dataset.variables or dataset["initial_time"].dtype.kind != "M":
        raise _no_forecast(path, dataset)
    initial_time = dataset["initial_time"].drop_attrs().astype("datetime64[ns]")
    return dataset.assign_coords(initial_time=initial_time, lead_time=("lead_time", np.atleast_1d(lead_time)))


def _leads_of_valid_times(dataset: xr.Dataset, path: Path) -> np.ndarray:
    """The valid times less the initial time, which a ``forecast_period`` must confirm."""
    if dataset["time"].dtype.kind != "M" or dataset["forecast_reference_time"].dtype.kind != "M":
        raise _no_forecast(path, dataset)
    leads = (dataset["time"] - dataset["forecast_reference_time"]).values.astype("timedelta64[ns]")
    if "forecast_period" in dataset.variables:
        stated = _timedelta(dataset["forecast_period"], path)
        if not np.array_equal(stated, leads):
            raise DataError(
                f"{path}: forecast_period says {_hours(stated)} h, but time less forecast_reference_time is "
                f"{_hours(leads)} h; expected them equal; make the file again"
            )
    return leads


def _timedelta(lead: xr.DataArray, path: Path) -> np.ndarray:
    """Lead times to the second, whether xarray decoded them or left a number with units."""
    if lead.dtype.kind != "m":
        if lead.attrs.get("units") in _DURATIONS:
            lead = lead.assign_attrs(units=_DURATIONS[lead.attrs["units"]])
        lead = xr.decode_cf(xr.Dataset({"lead": lead.variable.to_base_variable()}), decode_timedelta=True)["lead"]
    if lead.dtype.kind != "m":
        raise DataError(
            f"{path}: the lead time has units {lead.attrs.get('units')!r}, expected a duration such as 'hours'"
        )
    seconds = np.round(lead.values / np.timedelta64(1, "s")).astype("timedelta64[s]")
    return seconds.astype("timedelta64[ns]")


def _no_forecast(path: Path, dataset: xr.Dataset) -> DataError:
    return DataError(
        f"{path} is no forecast: it has dims {dict(dataset.sizes)} and holds {', '.join(map(str, dataset.variables))}; "
        "expected fields over time, latitude and longitude with forecast_reference_time (sphercast's NetCDF), or over "
        "time and prediction_timedelta (WeatherBench2)"
    )


def _hours(leads: np.ndarray) -> list[float]:
    return [float(lead / HOUR) for lead in leads]
