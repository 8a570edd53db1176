"""Forecast files: the documented conventions, and what a file says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channels
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.variables import variable
from forecast.output import EnsembleLayout, OutputConfig, open_sinks
from tests.forecast.outputs import (
    ADVANCES,
    ATTRIBUTES,
    CHANNELS,
    GRID,
    INITIAL,
    LAYOUT,
    STOP,
    TIMES,
    all_states,
    states,
    write,
    write_one,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_one(tmp_path_factory.mktemp("netcdf"))


@pytest.fixture
def raw(path: Path) -> Iterator[netCDF4.Dataset]:
    with netCDF4.Dataset(path) as file:
        yield file


def test_xarray_reads_back_what_was_written(path: Path) -> None:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=True) as opened:
        assert dict(opened.sizes) == {
            "realization": 3, "time": 3, "bnds": 2, "level": 2, "latitude": 8, "longitude": 16,
        }  # fmt: skip
        stacked = CHANNELS.stack(opened[list(CHANNELS.variables)])
        np.testing.assert_array_equal(stacked, all_states())
        np.testing.assert_array_equal(opened["time"], TIMES)
        assert opened["forecast_reference_time"] == INITIAL
        np.testing.assert_array_equal(opened["forecast_period"], TIMES - INITIAL)
        assert opened["forecast_period"].dims == ("time",)
        assert {"forecast_period", "forecast_reference_time"} <= set(opened.coords)
        assert opened["level"].values.tolist() == [500, 850]
        assert np.isnan(opened["geopotential"].sel(level=850)).all(), "a level that the variable does not have"
        assert opened["steps_completed"].values.tolist() == [3, 3, 3]


def test_dimensions(raw: netCDF4.Dataset) -> None:
    assert raw["temperature"].dimensions == ("realization", "time", "level", "latitude", "longitude")
    assert raw["mean_sea_level_pressure"].dimensions == ("realization", "time", "latitude", "longitude")
    assert raw["forecast_reference_time"].dimensions == ()
    assert raw.data_model == "NETCDF4"


def test_one_field_per_chunk_compressed(raw: netCDF4.Dataset) -> None:
    for name in CHANNELS.variables:
        field = raw[name]
        assert field.chunking() == [1] * (field.ndim - 2) + [8, 16]
        filters = field.filters()
        assert filters["zlib"]
        assert filters["shuffle"]
        assert filters["complevel"] == 4
        assert field.dtype == np.float32


def test_without_compression_fields_lie_plainly_one_after_the_other(tmp_path: Path) -> None:
    with netCDF4.Dataset(write_one(tmp_path, compression=0)) as raw:
        assert not raw["temperature"].filters()["zlib"]
        assert raw["geopotential"].chunking() == [1, 1, 1, 8, 16], "it lacks a level, which is not written"
        for name in ("temperature", "mean_sea_level_pressure"):
            assert raw[name].chunking() == "contiguous"
            assert np.isnan(raw[name].getncattr("_FillValue"))
        np.testing.assert_array_equal(raw["mean_sea_level_pressure"][:], all_states()[:, :, 3])
        raw.set_auto_mask(False)
        np.testing.assert_array_equal(raw["level"][:], [500, 850])
        assert np.isnan(raw["geopotential"][:, :, 1]).all(), "a level that the variable does not have"
        np.testing.assert_array_equal(
            raw["geopotential"][:, :, 0], all_states()[:, :, CHANNELS.index("geopotential_500")]
        )


@pytest.mark.parametrize(
    ("name", "standard_name", "units"),
    [
        ("realization", "realization", "1"),
        ("time", "time", "hours since 1900-01-01 00:00:00"),
        ("level", "air_pressure", "hPa"),
        ("latitude", "latitude", "degrees_north"),
        ("longitude", "longitude", "degrees_east"),
        ("forecast_period", "forecast_period", "hours"),
        ("forecast_reference_time", "forecast_reference_time", "hours since 1900-01-01 00:00:00"),
        ("height_2m", "height", "m"),
    ],
)
def test_coordinates_say_what_they_are(raw: netCDF4.Dataset, name: str, standard_name: str, units: str) -> None:
    assert raw[name].standard_name == standard_name
    assert raw[name].units == units
    assert "_FillValue" not in raw[name].ncattrs(), "CF: coordinates have no missing values"
    axes = {"time": "T", "level": "Z", "latitude": "Y", "longitude": "X"}
    assert getattr(raw[name], "axis", None) == axes.get(name)


def test_every_variable_says_what_it_is(raw: netCDF4.Dataset) -> None:
    for name in CHANNELS.variables:
        entry = variable(name)
        attributes = raw[name].__dict__
        assert attributes["standard_name"] == entry.standard_name
        assert attributes["units"] == entry.units
        assert attributes["long_name"]
        assert attributes["coordinates"].startswith("forecast_period forecast_reference_time")
        assert np.isnan(attributes["_FillValue"])
    assert raw["2m_temperature"].coordinates.endswith(" height_2m")
    assert raw["height_2m"][...] == 2


def test_accumulations_have_bounds_and_cell_methods(raw: netCDF4.Dataset) -> None:
    assert raw["total_precipitation"].cell_methods == "time: sum"
    assert raw["temperature"].cell_methods == "time: point"
    ends = netCDF4.num2date(raw[raw["time"].bounds][:], raw["time"].units, only_use_cftime_datetimes=False)
    np.testing.assert_array_equal(ends.astype("datetime64[ns]"), np.stack([TIMES - np.timedelta64(12, "h"), TIMES], -1))


def test_bounds_are_of_one_step_where_lead_times_are_left_out(tmp_path: Path) -> None:
    with netCDF4.Dataset(write_one(tmp_path, lead_hours=(36,))) as raw:
        assert np.diff(raw["time_bnds"][:]).tolist() == [[12]]


def test_without_accumulations_there_are_no_bounds(tmp_path: Path) -> None:
    with netCDF4.Dataset(write_one(tmp_path, variables=("temperature",))) as raw:
        assert "bnds" not in raw.dimensions
        assert not hasattr(raw["time"], "bounds")


def test_file_says_where_it_comes_from(raw: netCDF4.Dataset) -> None:
    assert raw.Conventions == "CF-1.11"
    assert raw.source == "a test"
    assert raw.seed == "7"
    assert raw.channels.split() == CHANNELS.names
    assert "torch" in raw.software_versions
    assert {"title", "institution", "history", "references"} <= set(raw.ncattrs())
    assert raw["level"].positive == "down"
    assert raw["time"].calendar == "standard"


def test_nothing_depends_on_the_clock(path: Path, tmp_path: Path) -> None:
    assert write_one(tmp_path).read_bytes() == path.read_bytes()


def test_stopped_members_are_said(tmp_path: Path) -> None:
    whole, other = write(tmp_path, OutputConfig(), OutputConfig(name="m{member}.nc"), stopped={1: STOP})[:2]
    with netCDF4.Dataset(whole) as raw, netCDF4.Dataset(other) as first, netCDF4.Dataset(tmp_path / "m1.nc") as second:
        assert raw["steps_completed"][:].tolist() == [3, 1, 3]
        assert raw.stopped_members == str(STOP)
        assert "member 1 stopped at step 2" in raw.stopped_members
        assert second["steps_completed"][...] == 1
        assert second.stopped_members == str(STOP)
        assert "stopped_members" not in first.ncattrs()


def test_many_stopped_members_fit_into_the_attribute(tmp_path: Path) -> None:
    layout = EnsembleLayout(CHANNELS, GRID, range(2000), INITIAL, TIMES)
    (sink,) = open_sinks([OutputConfig(variables=("2m_temperature",))], layout, ATTRIBUTES, tmp_path, 0)
    path = sink.finish({member: replace(STOP, member=member) for member in range(2000)})
    with netCDF4.Dataset(path) as raw:
        assert raw.stopped_members.endswith("and 1950 more")
        assert raw["steps_completed"][:].tolist() == [1] * 2000


def test_one_file_per_member(tmp_path: Path) -> None:
    paths = write(tmp_path, OutputConfig(name="member{member}.nc"))
    assert [path.name for path in paths] == ["member0.nc", "member1.nc", "member2.nc"]
    for member, path in enumerate(paths):
        with netCDF4.Dataset(path) as raw:
            assert raw["temperature"].dimensions == ("time", "level", "latitude", "longitude")
            assert raw["realization"][...] == member
            np.testing.assert_array_equal(raw["mean_sea_level_pressure"][:], all_states()[member, :, 3])


def test_member_numbers_in_names_are_of_one_width(tmp_path: Path) -> None:
    layout = EnsembleLayout(CHANNELS, GRID, [9, 10], INITIAL, TIMES)
    sinks = open_sinks([OutputConfig(name="m{member}.nc")], layout, {}, tmp_path, 0)
    assert [sink.finish({}).name for sink in sinks] == ["m09.nc", "m10.nc"]


def test_members_may_come_in_any_order(tmp_path: Path) -> None:
    (sink,) = open_sinks([OutputConfig()], LAYOUT, {}, tmp_path, 0)
    for advance, members in enumerate(([2, 0], [1])):
        sink.write(advance, members, 2, states(members, 2))
    with xr.open_dataset(sink.finish({}), engine="netcdf4", decode_timedelta=False) as opened:
        np.testing.assert_array_equal(opened["mean_sea_level_pressure"][:, 1], all_states()[:, 1, 3])


def test_members_need_not_count_from_zero(tmp_path: Path) -> None:
    layout = EnsembleLayout(CHANNELS, GRID, [3, 7], INITIAL, TIMES)
    (sink,) = open_sinks([OutputConfig()], layout, {}, tmp_path, 0)
    sink.write(0, [7], 1, states([7], 1))
    with xr.open_dataset(sink.finish({}), engine="netcdf4", decode_timedelta=False) as opened:
        np.testing.assert_array_equal(opened["mean_sea_level_pressure"].sel(realization=7)[0], states([7], 1)[0, 3])
        assert opened["mean_sea_level_pressure"].sel(realization=3).isnull().all()


def test_without_levels_there_is_no_level(tmp_path: Path) -> None:
    layout = EnsembleLayout(Channels.of({"2m_temperature": None}), GRID, [0], INITIAL, TIMES)
    (sink,) = open_sinks([OutputConfig()], layout, {}, tmp_path, 0)
    sink.write(0, [0], 1, np.zeros((1, 1, 8, 16), np.float32))
    with netCDF4.Dataset(sink.finish({})) as file:
        assert "level" not in file.dimensions


@pytest.mark.parametrize("name", ["f.nc", "f.zarr"])
def test_refuses_half_hours(tmp_path: Path, name: str) -> None:
    half = np.timedelta64(30, "m")
    layout = EnsembleLayout(CHANNELS, GRID, [0], INITIAL + half, TIMES + half)
    with pytest.raises(DataError, match="not whole hours, the first"):
        open_sinks([OutputConfig(name=name)], layout, {}, tmp_path, 0)


def test_two_outputs_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"two outputs are called forecast\.nc"):
        open_sinks([OutputConfig(), OutputConfig(compression=0)], LAYOUT, {}, tmp_path, 0)
    with pytest.raises(ConfigError, match=r"two outputs are called m1\.nc"):
        open_sinks([OutputConfig(name="m1.nc"), OutputConfig(name="m{member}.nc")], LAYOUT, {}, tmp_path, 0)


def test_fields_lie_in_the_file_in_the_order_in_which_they_came(path: Path) -> None:
    lines = path.with_name("forecast.nc.chunks").read_text().splitlines()
    assert len(lines) == len(ADVANCES)
    offsets = [chunk[2] for line in lines for chunk in json.loads(line.split(" ", 1)[1])[1]]
    assert offsets == sorted(offsets)
