"""The same ensemble as others write it: functions that write runs of sphercast's layout and return the paths."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.aggregate import Places
from evaluation.answer import answer
from evaluation.baselines import Persistence
from evaluation.combine import combine
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.record import Record
from evaluation.regions import region
from evaluation.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HOUR = np.timedelta64(3_600_000_000_000, "ns")
SHORT = {"geopotential": "z", "2m_temperature": "2t"}


def by_start(run: xr.Dataset, lead: str, start: str, member: str) -> xr.Dataset:
    """Over lead times, with the start as a scalar."""
    leads = (run["time"] - run["forecast_reference_time"]).values
    renamed = run.drop_vars(["forecast_period", "forecast_reference_time"]).rename(time=lead, realization=member)
    return renamed.assign_coords({lead: leads, start: run["forecast_reference_time"].values})


def of_starts(runs: Sequence[xr.Dataset], lead: str, start: str, member: str) -> xr.Dataset:
    """Several runs along their starts."""
    parts = [by_start(run, lead, start, member).expand_dims(start) for run in runs]
    return xr.concat(parts, start, coords="minimal", compat="override", join="exact")


def as_weatherbench2(runs: Sequence[xr.Dataset], member: str = "number") -> xr.Dataset:
    """South to north, longitude first, levels from the ground up."""
    dataset = of_starts(runs, "prediction_timedelta", "time", member)
    turned = dataset.isel(latitude=slice(None, None, -1), level=slice(None, None, -1))
    return turned.transpose(..., "longitude", "latitude")


def weatherbench2(runs: Sequence[xr.Dataset], folder: Path, zarr_format: int = 3, member: str = "number") -> list[Path]:
    path = folder / f"weatherbench2_{zarr_format}.zarr"
    as_weatherbench2(runs, member).to_zarr(path, zarr_format=zarr_format, consolidated=zarr_format == 2)
    return [path]


def weatherbench2_version_2(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    return weatherbench2(runs, folder, 2, "realization")


def weatherbench2_in_hours(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    dataset = of_starts(runs, "prediction_timedelta", "time", "number")
    hours = (dataset["prediction_timedelta"].values / HOUR).astype(np.int64)
    labels = {"prediction_timedelta": ("prediction_timedelta", hours, {"units": "hours"})}
    dataset.assign_coords(labels).to_zarr(folder / "hours.zarr", zarr_format=2, consolidated=False)
    return [folder / "hours.zarr"]


def with_levels_in_names(dataset: xr.Dataset, between: str) -> xr.Dataset:
    """A variable for each level."""
    levels = dataset["level"].values.tolist()
    single = {f"z{between}{level}": dataset["geopotential"].sel(level=level, drop=True) for level in levels}
    return dataset.drop_vars(["geopotential", "level"]).assign(single)


def earth2studio(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    dataset = with_levels_in_names(of_starts(runs, "lead_time", "time", "ensemble"), "")
    renamed = dataset.rename({"2m_temperature": "t2m", "latitude": "lat", "longitude": "lon"})
    for field in renamed.data_vars.values():
        field.attrs.clear()
    renamed.transpose("ensemble", "time", "lead_time", "lat", "lon").to_zarr(folder / "e2s.zarr", consolidated=False)
    return [folder / "e2s.zarr"]


def cfgrib(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    paths = []
    for index, run in enumerate(runs):
        dataset = by_start(run, "step", "time", "number").isel(level=slice(None, None, -1))
        dataset = dataset.rename({"geopotential": "z", "2m_temperature": "t2m", "level": "isobaricInhPa"})
        dataset["z"].attrs.update(units="m**2 s**-2", GRIB_typeOfLevel="isobaricInhPa")
        dataset = dataset.assign_coords(
            valid_time=("step", dataset["time"].values + dataset["step"].values), surface=0.0, heightAboveGround=2.0
        )
        paths.append(folder / f"cfgrib_{index}.nc")
        dataset.to_netcdf(paths[-1])
    return paths


def seasonal(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    """As the Climate Data Store gives C3S's forecasts."""
    dataset = of_starts(runs, "forecast_period", "forecast_reference_time", "number")
    hours = dataset["forecast_period"].values / HOUR
    valid = dataset["forecast_reference_time"].values[:, None] + dataset["forecast_period"].values
    dataset = dataset.assign_coords(
        forecast_period=("forecast_period", hours, {"units": "hours", "standard_name": "forecast_period"}),
        valid_time=(("forecast_reference_time", "forecast_period"), valid),
    ).rename({"geopotential": "z", "2m_temperature": "t2m", "level": "pressure_level"})
    dataset.transpose("number", "forecast_reference_time", "forecast_period", ...).to_netcdf(folder / "c3s.nc")
    return [folder / "c3s.nc"]


def _points(run: xr.Dataset, member: int) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64], list[int]]:
    """Of a member the fields (time, values), south to north, the places (2, values), and seconds from the start."""
    one = with_levels_in_names(run.sel(realization=member, drop=True), "_").rename({"2m_temperature": "2t"})
    one = one.isel(latitude=slice(None, None, -1))
    places = np.stack(np.meshgrid(one["latitude"], one["longitude"], indexing="ij")).reshape(2, -1)
    seconds = ((run["time"] - run["forecast_reference_time"]) / np.timedelta64(1, "s")).values.astype(int).tolist()
    return {str(name): field.values.reshape(len(seconds), -1) for name, field in one.data_vars.items()}, places, seconds


def anemoi(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    """A file for each member, by netCDF4 itself: no coordinates but time, counted from the start, and no units."""
    paths = []
    for run in runs:
        start = str(np.datetime_as_string(run["forecast_reference_time"].values, unit="s"))
        for member in run["realization"].values.tolist():
            fields, places, seconds = _points(run, member)
            paths.append(folder / f"member{member}_{start[:13]}.nc")
            with netCDF4.Dataset(paths[-1], "w", format="NETCDF4") as file:
                file.createDimension("values", places.shape[1])
                file.createDimension("time", None)
                axis = file.createVariable("time", "i4", ("time",))
                axis.setncatts({"units": f"seconds since {start.replace('T', ' ')}", "calendar": "gregorian"})
                axis[:] = seconds
                for name, along in zip(("latitude", "longitude"), places, strict=True):
                    axis = file.createVariable(name, "f4", ("values",))
                    axis.units = "degrees_north" if name == "latitude" else "degrees_east"
                    axis[:] = along
                for name, values in fields.items():
                    field = file.createVariable(name, "f4", ("time", "values"), fill_value=np.nan)
                    field.setncatts({"fill_value": np.nan, "missing_value": np.float32(np.nan)})
                    field[:] = values
    return paths


def anemoi_zarr(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    """A store for each member, in which latitude and longitude have dimensions of their own, as long as the fields'."""
    paths = []
    for run in runs:
        start = str(np.datetime_as_string(run["forecast_reference_time"].values, unit="s"))
        for member in run["realization"].values.tolist():
            fields, (latitude, longitude), seconds = _points(run, member)
            time = ("time", seconds, {"units": f"seconds since {start.replace('T', ' ')}", "calendar": "gregorian"})
            store = xr.Dataset(
                {name: (("time", "values"), values) for name, values in fields.items()},
                {"time": time, "latitude": latitude.astype(np.float32), "longitude": longitude.astype(np.float32)},
            )
            paths.append(folder / f"member{member}_{start[:13]}.zarr")
            store.to_zarr(paths[-1], consolidated=False)
    return paths


def one_file_per_member(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    return _split(runs, folder, "realization")


def one_file_per_lead(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    return _split(runs, folder, "time")


def _split(runs: Sequence[xr.Dataset], folder: Path, dim: str) -> list[Path]:
    paths = []
    for run_index, run in enumerate(runs):
        for index in range(run.sizes[dim]):
            paths.append(folder / f"{dim}_{run_index}_{index}.nc")
            run.isel({dim: index}).to_netcdf(paths[-1])
    return paths[::-1]  # any order will do


def one_file_per_variable(runs: Sequence[xr.Dataset], folder: Path) -> list[Path]:
    paths = []
    for index, run in enumerate(runs):
        for name in run.data_vars:
            paths.append(folder / f"{name}_{index}.nc")
            run[[str(name)]].to_netcdf(paths[-1])
    return paths


LAYOUTS = {
    function.__name__: function
    for function in (
        weatherbench2, weatherbench2_version_2, weatherbench2_in_hours, earth2studio, cfgrib, seasonal, anemoi,
        anemoi_zarr, one_file_per_member, one_file_per_lead, one_file_per_variable,
    )
}  # fmt: skip


def scores_of(runs: Sequence[xr.Dataset], truth: xr.Dataset) -> xr.Dataset:
    """Scores of runs that are open, on the truth's grid, as the command makes them."""
    asked = Question(metrics=("crps", "rmse", "bias", "spread_skill"), regions=("global", "tropics"))
    matches, lacking = match(runs, truth)
    assert lacking == []
    places = Places(Grid.of(truth), tuple(region(name, None) for name in asked.regions))
    tally = Tally(truth, places, asked.metrics, [Persistence(Record(truth))], None, asked.settings)
    sums = [tally.run(list(own)).sums for _, own in groupby(matches, key=lambda pair: pair.initial_time)]
    return answer(combine(sums, None), asked, {}).scores
