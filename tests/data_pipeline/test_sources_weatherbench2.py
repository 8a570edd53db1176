"""WeatherBench2's ERA5 stores in both layouts, over HTTP: values, windows, chunks, sums of precipitation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from data_pipeline.canonical import check
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import Report
from data_pipeline.sources import WeatherBench2Source
from data_pipeline.sources.weatherbench2 import sums_of
from tests.data_pipeline.layouts import GRIDS, WB2_LEVELS, weatherbench2
from tests.data_pipeline.loopback import serving
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.data_pipeline.loopback import Loopback

VARIABLES = {"geopotential": WB2_LEVELS, "2m_temperature": None, "total_precipitation": None}
STATIC = ("geopotential_at_surface", "land_sea_mask")
ALL = {*VARIABLES, *STATIC}


@pytest.fixture(scope="module")
def coarse(tmp_path_factory) -> Iterator[tuple[xr.Dataset, Loopback]]:
    """(canonical world, server) of 250 times at 64x32 in chunks of 100."""
    folder = tmp_path_factory.mktemp("weatherbench2")
    world = weatherbench2(folder / "64x32.zarr", "64x32", mock_times("2000-01-01", 250), VARIABLES)
    with serving(folder) as server:
        yield world, server


def test_the_layout_is_the_public_one(coarse) -> None:
    _, server = coarse
    raw = xr.open_zarr(server.folder / "64x32.zarr", chunks=None)
    assert raw["geopotential"].dims == ("time", "level", "longitude", "latitude")
    assert raw["geopotential"].encoding["chunks"] == (100, 13, 64, 32)
    assert raw["land_sea_mask"].dims == ("longitude", "latitude")
    assert (raw["latitude"].values[0], raw["latitude"].values[-1]) == (-87.1875, 87.1875)
    assert raw["level"].dtype == np.int64
    assert "units" not in raw["level"].attrs
    assert "total_precipitation" not in raw


def test_coarse_stores(coarse) -> None:
    world, server = coarse
    result = WeatherBench2Source(path=f"{server.url}/64x32.zarr").open(ALL)
    check(result)
    assert all(field.chunks for field in result.data_vars.values())
    rain = world["total_precipitation"] * np.float32(6)
    xr.testing.assert_equal(result[list(world.data_vars)], world.assign(total_precipitation=rain))
    assert result["total_precipitation"].attrs["accumulation_hours"] == 6
    assert "accumulation_hours" not in result["2m_temperature"].attrs
    assert list(result["level"].values) == list(WB2_LEVELS)


@pytest.mark.parametrize(("size", "count"), [("240x121", 3), ("1440x721", 2)])
def test_other_sizes(tmp_path, size: str, count: int) -> None:
    variables = {"temperature": (500, 850), "2m_temperature": None} if size == "240x121" else {"2m_temperature": None}
    world = weatherbench2(tmp_path / "a.zarr", size, mock_times("2020-02-28T18", count), variables)
    with serving(tmp_path) as server:
        result = WeatherBench2Source(path=f"{server.url}/a.zarr").open({*variables, *STATIC}).load()
    xr.testing.assert_equal(result[list(world.data_vars)], world)
    assert Grid.of(result) == GRIDS[size]


def test_a_window_reads_its_chunks_only(coarse) -> None:
    world, server = coarse
    source = WeatherBench2Source(path=f"{server.url}/64x32.zarr")
    source.open({"2m_temperature"})
    server.asked.clear()
    window = (world["time"].values[95], world["time"].values[104])
    result = source.open(ALL, window)
    assert result.chunksizes["time"] == (5, 5)  # chunks end where those on disk end: none is read twice
    assert len(result.__dask_graph__()) < 100
    xr.testing.assert_equal(result["2m_temperature"].compute(), world["2m_temperature"].sel(time=slice(*window)))
    assert sorted(server.asked) == ["64x32.zarr/2m_temperature/0.0.0", "64x32.zarr/2m_temperature/1.0.0"]
    assert source.open({"2m_temperature"}, window)["time"].size == 10


def test_a_window_outside(coarse) -> None:
    _, server = coarse
    source = WeatherBench2Source(path=f"{server.url}/64x32.zarr")
    window = (np.datetime64("1999-01-01", "ns"), np.datetime64("1999-12-31T18", "ns"))
    with pytest.raises(
        DataError,
        match=r"64x32\.zarr has no times in 1999-01-01T00 .. 1999-12-31T18; it has 2000-01-01T00 .. 2000-03-03T06",
    ):
        source.open({"2m_temperature"}, window)
    assert set(source.open(set(STATIC), window).data_vars) == set(STATIC)


def test_the_sums_are_chosen(tmp_path) -> None:
    times = mock_times("2000-01-01", 2)
    world = weatherbench2(tmp_path / "a.zarr", "64x32", times, VARIABLES, rain_hours=(6, 12, 24))
    path = str(tmp_path / "a.zarr")
    for hours in (6, 12, 24):
        rain = WeatherBench2Source(path=path, accumulation=hours).open({"total_precipitation"})["total_precipitation"]
        np.testing.assert_array_equal(rain, world["total_precipitation"] * np.float32(hours))
        assert rain.attrs["accumulation_hours"] == hours
    message = (
        r"has total_precipitation as total_precipitation_6hr \(6 h\), total_precipitation_12hr \(12 h\), "
        r"total_precipitation_24hr \(24 h\), got {}; set 'accumulation'"
    )
    with pytest.raises(DataError, match=message.format("no accumulation chosen")):
        WeatherBench2Source(path=path).open(ALL)
    with pytest.raises(DataError, match=message.format("accumulation 1")):
        WeatherBench2Source(path=path, accumulation=1).open(ALL)
    assert "2m_temperature" in WeatherBench2Source(path=path).open({"2m_temperature"})
    with pytest.raises(ValidationError, match="accumulation"):
        WeatherBench2Source(path=path, accumulation=3)


def test_hourly_sums_under_their_own_name_and_without_units(tmp_path) -> None:
    world = weatherbench2(tmp_path / "a.zarr", "64x32", mock_times("2000-01-01", 2), VARIABLES, rain_hours=(6,))
    with xr.open_zarr(tmp_path / "a.zarr", chunks=None) as raw:
        hourly = raw.load().rename(total_precipitation_6hr="total_precipitation")
    del hourly["total_precipitation"].attrs["units"]
    hourly.to_zarr(tmp_path / "b.zarr", zarr_format=2)
    result = WeatherBench2Source(path=str(tmp_path / "b.zarr")).open({"total_precipitation"})["total_precipitation"]
    assert result.attrs["accumulation_hours"] == 1
    assert result.attrs["units"] == "m"
    np.testing.assert_array_equal(result, world["total_precipitation"] * np.float32(6))
    assert sums_of("2m_temperature", hourly) == {1: "2m_temperature"}


def test_what_is_repaired_is_reported(coarse) -> None:
    _, server = coarse
    report = Report()
    WeatherBench2Source(path=f"{server.url}/64x32.zarr").open({"2m_temperature"}, report=report)
    assert {"latitude-flipped", "dims-transposed"} <= report.codes
    assert not report.errors


def test_a_climatology_is_refused(tmp_path) -> None:
    """WeatherBench2's climatology has (hour, dayofyear), no states in time."""
    fields = xr.Dataset(
        {"2m_temperature": (("hour", "dayofyear", "longitude", "latitude"), np.full((4, 366, 16, 8), 280, np.float32))},
        {**Grid.equiangular(8, 16, poles=False).coordinates, "hour": [0, 6, 12, 18], "dayofyear": np.arange(1, 367)},
    )
    fields["2m_temperature"].attrs["units"] = "K"
    fields.to_zarr(tmp_path / "climatology.zarr", zarr_format=2)
    with pytest.raises(DataError, match=r"unexpected dimensions \{'hour': 4, 'dayofyear': 366\}"):
        WeatherBench2Source(path=str(tmp_path / "climatology.zarr")).open({"2m_temperature"})
