"""``data info``: what is there, of which ensemble, what is not known, and all of a store."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.building.build import build
from data_pipeline.description import describe, describe_path
from data_pipeline.ensembles import described, member_numbers, one_member
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from tests.mock_world import mock_states, mock_times

GRID = Grid.gaussian(4, 8)


def states(count: int = 4) -> xr.Dataset:
    return mock_states(GRID, mock_times("2000-01-01", count), {"temperature": [850, 500], "2m_temperature": None})


def forecast() -> xr.Dataset:
    members = xr.concat([states()] * 3, xr.Variable("realization", [0, 1, 2]))
    return members.assign_coords(forecast_reference_time=np.datetime64("1999-12-31T18", "ns"))


def test_description() -> None:
    assert describe(states()).splitlines() == [
        "4x8 grid (latitude 59.4444..-59.4444, longitude 0..315)",
        "4 times, 2000-01-01T00 to 2000-01-01T18, every 6 h",
        "temperature [K] at 500, 850 hPa",
        "2m_temperature [K]",
    ]


@pytest.mark.parametrize(
    ("positions", "line"),
    [
        ([], "no times"),
        ([2], "1 time, 2000-01-01T12"),
        ([0, 1, 2, 5, 6, 9], "6 times, 2000-01-01T00 to 2000-01-03T06, every 6 h but for 2 steps"),
    ],
)
def test_times(positions: list[int], line: str) -> None:
    assert describe(states(10).isel(time=positions)).splitlines()[1] == line


def test_what_is_not_known_is_listed(tmp_path) -> None:
    states().assign(foam=states()["2m_temperature"]).to_netcdf(tmp_path / "foam.nc", engine="netcdf4")
    assert describe_path(tmp_path / "foam.nc").splitlines()[-1] == "not known to sphercast: foam"


def test_a_forecast_is_described_as_one(tmp_path) -> None:
    forecast().to_netcdf(tmp_path / "forecast.nc", engine="netcdf4")
    first, *rest = describe_path(tmp_path / "forecast.nc").splitlines()
    members = "an ensemble of 3 members (0 to 2)"
    assert first == f"{members}, a forecast from 1999-12-31T18 with 4 lead times, 6 to 24 h, each with:"
    assert rest == describe(states()).splitlines()
    assert describe_path(tmp_path / "forecast.nc", member=2) == describe(states())
    with pytest.raises(DataError, match=r"has no member 9, it has 0 to 2; choose one of them"):
        describe_path(tmp_path / "forecast.nc", member=9)


def test_members_without_numbers_go_by_position() -> None:
    raw = forecast().drop_vars(["realization", "time"])
    assert member_numbers(raw).tolist() == [0, 1, 2]
    assert described(raw) == "an ensemble of 3 members (0 to 2), a forecast from 1999-12-31T18"
    assert "realization" not in one_member(raw, 1, "it").dims
    assert described(states()) == ""


def test_a_store_is_described_whole(config) -> None:
    store = build(config(), progress=False)
    lines = describe_path(store).splitlines()
    assert lines[:-1] == [
        "training store on the 8x16 grid (latitude 78.75..-78.75, longitude 0..337.5)",
        "20 times, 2001-01-01T00 to 2001-01-05T18, every 6 h",
        "training period 2001-01-01 to 2001-01-04",
        "temperature [K] at 500, 850 hPa",
        "2m_temperature [K]",
        "geopotential_at_surface [m2 s-2], static",
        "land_sea_mask [1], static",
        "stored as float32, physical units",
        "statistics: mean, deviation, range, tendencies over 6, 12, 24 h",
        "climatology: harmonics of the year",
        "climatology by hour and day of year: none",
    ]
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    assert lines[-1].startswith(f"{size / 1e6:.4g} MB on disk in ")
    with pytest.raises(DataError, match=r"store\.zarr is a training store without members, got member 3; leave it out"):
        describe_path(store, member=3)


def test_grib(real_data) -> None:
    pytest.importorskip("eccodes", reason="GRIB needs the extra 'grib'")
    text = describe_path(real_data / "era5_eda_members_3deg.grib", member=3)
    assert "temperature [K] at 500, 850 hPa" in text
    assert "not known" not in text
