"""Parts of a forecast: variables, levels, lead times, regions across Greenwich and the date line, stations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

from data_pipeline.errors import ConfigError, DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import Points, Regridder
from data_pipeline.stations import read_stations
from forecast.output import EnsembleLayout, OutputConfig, output_config
from forecast.output.layout import select
from forecast.output.points import Stations
from forecast.output.region import Region
from tests.forecast.outputs import CHANNELS, GRID, INITIAL, LAYOUT, TIMES, all_states, write_one

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=True) as dataset:
        return dataset.load()


def test_variables_and_levels(tmp_path: Path) -> None:
    kept = opened(write_one(tmp_path, variables=("temperature", "2m_temperature"), levels=(850,)))
    assert {"temperature", "2m_temperature"} == {name for name, field in kept.items() if "latitude" in field.dims}
    assert kept["level"].values.tolist() == [850]
    assert kept.attrs["channels"] == "temperature_850 2m_temperature"
    np.testing.assert_array_equal(kept["temperature"][:, :, 0], all_states()[:, :, 0])
    np.testing.assert_array_equal(kept["2m_temperature"], all_states()[:, :, 4])


def test_levels_leave_out_variables_that_have_none_of_them(tmp_path: Path) -> None:
    kept = opened(write_one(tmp_path, levels=(850,)))
    assert "geopotential" not in kept, "it is on 500 hPa alone"
    assert {"temperature", "mean_sea_level_pressure"} <= set(kept)


def test_lead_times(tmp_path: Path) -> None:
    kept = opened(write_one(tmp_path, lead_hours=(36, 12)))
    np.testing.assert_array_equal(kept["time"], TIMES[[0, 2]])
    np.testing.assert_array_equal(kept["forecast_period"], (TIMES - INITIAL)[[0, 2]])
    np.testing.assert_array_equal(kept["mean_sea_level_pressure"], all_states()[:, [0, 2], 3])
    assert kept["steps_completed"].values.tolist() == [3, 3, 3], "of all steps, not of those that are kept"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variables": ("geopotential", "rain")}, "the forecast has no rain; expected some of: temperature, geopot"),
        ({"levels": (500, 300)}, "the forecast has no level 300 hPa; expected some of: 500, 850"),
        ({"variables": ("geopotential",), "levels": (850,)}, r"geopotential is on levels \[500\] hPa, got levels"),
        ({"lead_hours": (12, 18)}, "no lead time of 18 h; expected some of 12 h to 36 h every 12 h"),
        ({"region": (1, 2, 3, 4)}, "holds 0x0 points of the 8x16 grid .* expected 2x2 or more; widen it"),
        ({"region": (-90, 90, 3, 40)}, "holds 8x1 points"),
    ],
)
def test_what_the_forecast_does_not_have(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        select(LAYOUT, OutputConfig(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "f.grib"}, r"name: expected the name of a file that ends in \.nc or \.zarr"),
        ({"name": "a/f.nc"}, "without a folder"),
        ({"name": ".f.nc"}, "without a folder"),
        ({"region": (50, 40, 0)}, "region: expected south, north, west, east in degrees"),
        ({"region": (50, 40, 0, 10)}, "region: expected south, .*, the south below the north, both within"),
        ({"region": (40, 50, 0, 400)}, "region: expected south, .*, west and east not the same, both within"),
        ({"region": (50, 60, 10, 10)}, "region: expected south"),
        ({"region": ("30", "75")}, r"region: expected south, .*, got \('30', '75'\)$"),
        ({"lead_hours": ("abc",)}, "lead_hours.0: Input should be a valid number[^;]*, got 'abc'$"),
        ({"region": (float("nan"), 60, 10, 20)}, "region: expected south"),
        ({"keep_bits": 0}, "keep_bits: .*greater than or equal to 1"),
        ({"keep_bits": 24}, "keep_bits: .*less than or equal to 23"),
        ({"compression": 10}, "compression: .*less than or equal to 9"),
        ({"variables": ()}, "variables: "),
        ({"variable": ("x",)}, "unknown key 'variable'; remove it"),
        ({"points": "a.csv", "region": (0, 10, 0, 10)}, "got points and a region"),
        ({"points": "a.csv", "name": "f.zarr"}, "points are written as NetCDF"),
        ({"name": "f{member}.zarr"}, "a Zarr store holds all members"),
    ],
)
def test_what_cannot_be_asked_for(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"output: .*{message}"):
        output_config(**options)


@pytest.mark.parametrize(
    ("west", "east", "longitude"),
    [
        (20, 100, [22.5, 45, 67.5, 90]),
        (-50, 50, [-45, -22.5, 0, 22.5, 45]),
        (310, 410 - 360, [-45, -22.5, 0, 22.5, 45]),
        (150, -150, [157.5, 180, 202.5]),
        (90, 22.5, [90, 112.5, 135, 157.5, 180, 202.5, 225, 247.5, 270, 292.5, 315, 337.5, 360, 382.5]),
        (-180, 180, list(GRID.longitude)),
    ],
)
def test_longitudes_ascend_without_a_jump(west: float, east: float, longitude: list[float]) -> None:
    assert list(Region.of(GRID, (-90, 90, west, east)).longitude) == longitude


@given(st.integers(-90, 60), st.integers(20, 180), st.integers(-360, 359), st.integers(40, 400))
@example(-90, 180, -180, 345)
def test_a_region_has_the_points_in_the_box_and_their_values(south: int, height: int, west: int, width: int) -> None:
    """Against the plain definition, degree by degree."""
    north, east = min(south + height, 90), min(west + width, 360)
    grid = Grid.equiangular(19, 24, poles=True)
    rows, columns = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    degrees = min(east - west, 360)
    inside = (rows >= south) & (rows <= north) & ((columns - west) % 360 <= degrees)
    if min(inside.any(1).sum(), inside.any(0).sum()) < 2:
        return
    region = Region.of(grid, (south, north, west, east))
    assert (np.diff(region.longitude) > 0).all()
    assert region.longitude[-1] - region.longitude[0] < 360
    found = region.cut(np.stack([rows, columns]).astype(np.float32), CHANNELS)
    assert found.shape == (2, *region.shape)
    assert found[0].size == inside.sum()
    np.testing.assert_allclose(found[0], np.broadcast_to(np.array(region.latitude)[:, None], region.shape))
    np.testing.assert_allclose(found[1], np.broadcast_to(np.array(region.longitude) % 360, region.shape))


def test_a_region_across_greenwich_in_a_file(tmp_path: Path) -> None:
    kept = opened(write_one(tmp_path, region=(0, 70, -50, 50)))
    assert kept["longitude"].values.tolist() == [-45, -22.5, 0, 22.5, 45]
    assert kept["latitude"].values.tolist() == [56.25, 33.75, 11.25]
    columns = [14, 15, 0, 1, 2]
    np.testing.assert_array_equal(kept["mean_sea_level_pressure"], all_states()[:, :, 3, 1:4][..., columns])


def test_a_whole_sphere_from_the_date_line_on(tmp_path: Path) -> None:
    """It has as many points as the grid, in another order."""
    kept = opened(write_one(tmp_path, region=(-90, 90, -180, 179)))
    assert kept["longitude"].values.tolist() == np.arange(-180, 180, 22.5).tolist()
    expected = np.roll(all_states()[:, :, 3], 8, axis=-1)
    np.testing.assert_array_equal(kept["mean_sea_level_pressure"], expected)


STATIONS = "name,latitude,longitude,altitude\nOxford,51.7,-1.25,63\nZürich,47.4,8.5,410\nSouth Pole,-90,0,2835\n"


@pytest.fixture
def stations(tmp_path: Path) -> Path:
    path = tmp_path / "stations.csv"
    path.write_text(STATIONS)
    return path


def test_stations(tmp_path: Path, stations: Path) -> None:
    path = write_one(tmp_path, points=stations)
    with netCDF4.Dataset(path) as raw:
        assert raw["temperature"].dimensions == ("realization", "time", "level", "station")
        assert raw["2m_temperature"].dimensions == ("realization", "time", "station")
        assert "bilinear" in raw["temperature"].comment
    kept = opened(path)
    assert kept["station_name"].values.tolist() == ["Oxford", "Zürich", "South Pole"]
    assert kept["altitude"].values.tolist() == [63, 410, 2835]
    points = Points((51.7, 47.4, -90.0), (-1.25, 8.5, 0.0))
    expected = Regridder(GRID, points, method="bilinear").regrid_array(all_states())
    np.testing.assert_array_equal(kept["temperature"].sel(level=850), expected[:, :, 0])
    np.testing.assert_array_equal(kept["2m_temperature"], expected[:, :, 4])
    assert set(kept["temperature"].coords) >= {"station_name", "latitude", "longitude", "altitude"}


def test_stations_of_linear_fields_are_exact() -> None:
    grid = Grid.equiangular(19, 36, poles=True)
    rows, columns = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    field = (rows + columns / 10).astype(np.float32)[None, None]
    found = Stations(grid, ("a", "b"), Points((12.3, -55.0), (33.0, 111.0))).cut(field, [CHANNELS.channels[0]])
    np.testing.assert_allclose(found[0, 0], [12.3 + 3.3, -55 + 11.1], rtol=1e-6)


def test_wind_near_the_pole_is_a_vector() -> None:
    """A uniform flow across the pole has components that turn with longitude; the mean of them would vanish."""
    grid = Grid.equiangular(18, 36, poles=False)
    u = np.broadcast_to(np.sin(np.deg2rad(grid.longitude)), grid.shape).astype(np.float32)[None, None]
    (channel,) = select(
        EnsembleLayout(CHANNELS.of({"u_component_of_wind": [500]}), grid, [0], INITIAL, TIMES), OutputConfig()
    ).channels
    found = Stations(grid, ("near",), Points((89.9,), (90.0,))).cut(u, [channel])
    np.testing.assert_allclose(found, 1, atol=0.01)


def test_without_altitude_and_with_spaces(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("longitude,name,latitude\n 8.5 , Zürich,47.4\n")
    names, points, altitude = read_stations(path)
    assert (names, points, altitude) == (("Zürich",), Points((47.4,), (8.5,)), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has columns none, expected the columns name, latitude, longitude"),
        ("name,lat,lon\nA,1,2\n", "has columns name, lat, lon, expected the columns"),
        ("name,latitude,longitude\n", "has no station"),
        ("name,latitude,longitude\nA,1,2\nA,3,4\n", "has 'A' twice"),
        ("name,latitude,longitude\n ,1,2\n", "has a station without a name"),
        ("name,latitude,longitude\nA,1\n", "has 1 rows of another length"),
        ("name,latitude,longitude\nA,1,2,3\n", "has 1 rows of another length"),
        ("name,latitude,longitude\nA,north,2\n", "latitude of A is 'north', expected a number"),
        ("name,latitude,longitude\nA,nan,2\n", "latitude of A is 'nan', expected a number"),
        ("name,latitude,longitude\nA,95,2\n", r"s\.csv: points need latitudes within"),
        ("name,latitude,longitude\n\xff\xfe,95,2\n", "cannot be read"),
    ],
)
def test_lists_of_stations_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read_stations(path)


def test_list_of_stations_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the list of stations .*s\.csv cannot be read \(No such file"):
        select(LAYOUT, OutputConfig(points=tmp_path / "s.csv"))


def test_station_outside_a_regional_grid(stations: Path) -> None:
    grid = Grid((60.0, 50.0, 40.0), (0.0, 5.0, 10.0, 15.0))
    with pytest.raises(DataError, match="the station Oxford is outside the 3x4 grid"):
        select(EnsembleLayout(CHANNELS, grid, [0], INITIAL, TIMES), OutputConfig(points=stations))
