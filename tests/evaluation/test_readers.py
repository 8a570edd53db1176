"""Every layout of a forecast file is read as one, and what is none is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from evaluation.readers import open_run, open_runs
from evaluation.readers.fields import Reordered
from tests.evaluation.layouts import as_weatherbench2

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = np.datetime64("2020-01-01T00", "ns")
HOUR = np.timedelta64(3_600_000_000_000, "ns")


def test_our_layout(written: Callable[..., Path], ensemble: Callable[..., xr.Dataset]) -> None:
    opened, original = open_run(written()), ensemble()
    assert opened["geopotential"].dims == ("realization", "lead_time", "level", "latitude", "longitude")
    assert opened["2m_temperature"].dims == ("realization", "lead_time", "latitude", "longitude")
    assert opened["initial_time"] == START
    assert opened["initial_time"].dtype == np.dtype("datetime64[ns]")
    assert opened["lead_time"].dtype == np.dtype("timedelta64[ns]")
    np.testing.assert_array_equal(opened["lead_time"], HOUR * np.array([12, 24, 36]))
    for name in original.data_vars:
        np.testing.assert_array_equal(opened[name].values, original[name].values)
        assert opened[name].attrs["units"] == original[name].attrs["units"]


SAVE = {
    "netcdf": lambda data, path: data.to_netcdf(path),
    "zarr 2, consolidated": lambda data, path: data.to_zarr(path, consolidated=True, zarr_format=2),
    "zarr 3": lambda data, path: data.to_zarr(path, consolidated=False, zarr_format=3),
}


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
def test_weatherbench2_layout(tmp_path: Path, ensemble: Callable[..., xr.Dataset], save) -> None:  # type: ignore[no-untyped-def]
    runs, path = [ensemble(start=0), ensemble(start=4)], tmp_path / "forecast"
    save(as_weatherbench2(runs), path)
    for opened, run in zip(open_runs(path), runs, strict=True):
        assert opened["initial_time"] == run["forecast_reference_time"]
        np.testing.assert_array_equal(opened["lead_time"], HOUR * np.array([12, 24, 36]))
        np.testing.assert_array_equal(opened["latitude"], run["latitude"])
        found = opened["geopotential"].transpose("realization", "lead_time", "level", "latitude", "longitude")
        np.testing.assert_array_equal(found, run["geopotential"])


def test_a_file_of_several_runs_is_not_one(tmp_path: Path, ensemble: Callable[..., xr.Dataset]) -> None:
    as_weatherbench2([ensemble(start=0), ensemble(start=4)]).to_netcdf(tmp_path / "runs.nc")
    with pytest.raises(DataError, match="holds 2 initial times, expected one"):
        open_run(tmp_path / "runs.nc")


@pytest.mark.parametrize("name", ["number", "member", "ensemble", "sample"])
def test_names_of_the_members(written: Callable[..., Path], name: str) -> None:
    assert open_run(written(lambda data: data.rename(realization=name))).sizes["realization"] == 4
    unlabelled = open_run(written(lambda data: data.rename(realization=name).drop_vars(name)))
    assert unlabelled.sizes["realization"] == 4


def test_members_are_in_the_order_of_their_numbers(
    written: Callable[..., Path], ensemble: Callable[..., xr.Dataset]
) -> None:
    """So that sums over them are the same to the bit, however the file has them; still lazy, each with its values."""
    opened, original = open_run(written(lambda data: data.isel(realization=[2, 0, 3, 1]))), ensemble()
    assert opened["realization"].values.tolist() == list(opened.attrs["members"]) == [0, 1, 2, 3]
    assert not opened["geopotential"].variable._in_memory
    np.testing.assert_array_equal(opened["geopotential"], original["geopotential"])
    np.testing.assert_array_equal(opened["2m_temperature"][1, 2], original["2m_temperature"][1, 2])


def test_names_of_the_coordinates_and_pressure_in_pascal(written: Callable[..., Path]) -> None:
    def rename(data: xr.Dataset) -> xr.Dataset:
        data = data.assign_coords(level=("level", [50000.0, 85000.0], {"units": "Pa"}))
        return data.rename(level="plev", latitude="lat", longitude="lon")

    opened = open_run(written(rename))
    assert opened["level"].values.tolist() == [500, 850]
    assert opened["geopotential"].dims[-3:] == ("level", "latitude", "longitude")


def test_longitudes_from_minus_180_are_rolled_with_their_data(
    written: Callable[..., Path], ensemble: Callable[..., xr.Dataset]
) -> None:
    def roll(data: xr.Dataset) -> xr.Dataset:
        return data.assign_coords(longitude=(data["longitude"] + 180) % 360 - 180).sortby("longitude")

    opened, original = open_run(written(roll)), ensemble()
    np.testing.assert_array_equal(opened["longitude"], original["longitude"])
    np.testing.assert_array_equal(opened["2m_temperature"], original["2m_temperature"])


def test_a_deterministic_run_has_no_realization(written: Callable[..., Path]) -> None:
    opened = open_run(written(lambda data: data.isel(realization=0, drop=True)))
    assert opened["2m_temperature"].dims == ("lead_time", "latitude", "longitude")


def test_levels_that_are_no_pressures_are_refused(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.assign_coords(level=("level", [5000.0, 1500.0], {"units": "m"})))
    with pytest.raises(DataError, match="levels are in 'm', expected pressure"):
        open_runs(path)


@pytest.mark.parametrize("encode", [lambda hours: hours, lambda hours: HOUR * hours.astype(int)])
def test_forecast_period_as_hours_or_as_timedelta(written: Callable[..., Path], encode) -> None:  # type: ignore[no-untyped-def]
    def change(data: xr.Dataset) -> xr.Dataset:
        period = encode(data["forecast_period"].values)
        attrs = {"units": "hours"} if period.dtype.kind == "f" else {}
        return data.assign_coords(forecast_period=("time", period, attrs))

    np.testing.assert_array_equal(open_run(written(change))["lead_time"], HOUR * np.array([12, 24, 36]))


@pytest.mark.parametrize("units", ["hour", "hr", "h"])
def test_every_name_of_the_hour(written: Callable[..., Path], units: str) -> None:
    path = written(lambda data: data.assign_coords(forecast_period=("time", [12.0, 24.0, 36.0], {"units": units})))
    np.testing.assert_array_equal(open_run(path)["lead_time"], HOUR * np.array([12, 24, 36]))


def test_without_forecast_period_leads_follow_from_the_times(written: Callable[..., Path]) -> None:
    opened = open_run(written(lambda data: data.drop_vars("forecast_period")))
    np.testing.assert_array_equal(opened["lead_time"], HOUR * np.array([12, 24, 36]))


def test_what_does_not_depend_on_the_lead_is_left_out(written: Callable[..., Path]) -> None:
    def add_mask(data: xr.Dataset) -> xr.Dataset:
        return data.assign(land_sea_mask=data["2m_temperature"].isel(time=0, realization=0, drop=True), crs=0)

    assert set(open_run(written(add_mask)).data_vars) == {"geopotential", "2m_temperature"}


def test_runs_stay_on_the_disk(written: Callable[..., Path]) -> None:
    (run,) = open_runs(written())
    assert not any(field.variable._in_memory for field in run.data_vars.values())


def test_a_period_that_contradicts_the_times_is_refused(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.assign_coords(forecast_period=("time", [6.0, 12.0, 18.0], {"units": "hours"})))
    with pytest.raises(DataError, match=r"forecast_period says \[6.0, 12.0, 18.0\] h, but .* \[12.0, 24.0, 36.0\] h"):
        open_runs(path)


def test_a_period_without_units_is_refused(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.assign_coords(forecast_period=("time", [12.0, 24.0, 36.0])))
    with pytest.raises(DataError, match="has units None, expected a duration such as 'hours'"):
        open_runs(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.drop_vars(["forecast_reference_time", "forecast_period"]),
        lambda data: data.isel(latitude=0),
        lambda data: data[[]],
        lambda data: data.assign_coords(forecast_reference_time=3),
        lambda data: data.assign_coords(time=[1, 2, 3]),
        lambda data: data.drop_vars(["forecast_reference_time", "forecast_period", "time"]).rename(time="step"),
    ],
    ids=["analysis", "no latitude", "empty", "start no time", "time no time", "lead no label"],
)  # fmt: skip
def test_what_is_no_forecast_is_refused(written: Callable[..., Path], change) -> None:  # type: ignore[no-untyped-def]
    path = written(change)
    with pytest.raises(DataError, match=r"is no forecast: it has (dims .* expected fields over time|states over time)"):
        open_runs(path)


def test_a_truth_in_the_place_of_a_forecast_is_told_where_it_belongs(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.drop_vars(["forecast_reference_time", "forecast_period"]).isel(realization=0))
    with pytest.raises(DataError, match=r"it has states over time \(.*\), as a truth has, .* and the truth last, e.g."):
        open_runs(path)
    with pytest.raises(DataError, match="'sample' is the truth that comes with sphercast, expected a forecast"):
        open_runs("sample")


def test_scores_in_the_place_of_a_forecast(tmp_path: Path) -> None:
    path = tmp_path / "scores.nc"
    labels = {"model": ["forecast"], "region": ["global"]}
    xr.Dataset({"crps_t": (tuple(labels), [[1.0]])}, labels, {"question": "{}"}).to_netcdf(path, engine="netcdf4")
    with pytest.raises(DataError, match=r"scores.nc is a file of scores, expected a forecast; see"):
        open_runs(path)


def test_a_layout_without_initial_time_is_refused(tmp_path: Path, ensemble: Callable[..., xr.Dataset]) -> None:
    path = tmp_path / "forecast.nc"
    as_weatherbench2([ensemble()]).isel(time=0, drop=True).to_netcdf(path)
    with pytest.raises(DataError, match="is no forecast"):
        open_runs(path)


def test_a_strange_dimension_is_refused(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.expand_dims(quantile=[0.1, 0.9]))
    with pytest.raises(DataError, match=r"unexpected dimensions \['quantile'\]"):
        open_runs(path)


def test_a_path_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such NetCDF file or Zarr store; check the path"):
        open_runs(tmp_path / "nothing.nc")


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_truncated_file(written: Callable[..., Path], keep: float) -> None:
    path = written()
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(DataError, match=r"cannot be read .* expected a whole NetCDF-4 file or Zarr store"):
        open_runs(path)


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"is no forecast: no Zarr store, and no file .* in this folder"):
        open_runs(tmp_path / "empty")


@given(st.permutations(range(5)), st.permutations(range(4)))
def test_any_order_of_rows_and_columns(rows: list[int], columns: list[int]) -> None:
    fields = np.arange(40.0).reshape(2, 5, 4)
    np.testing.assert_array_equal(Reordered(rows, columns)(fields), fields[:, rows][..., columns])
