"""Signatures: silent on right labels in every season, loud on wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.quality.columns import levels_exchanged
from data_pipeline.quality.geography import misplaced
from data_pipeline.quality.land_mask import ASSET, land_at, land_fraction
from data_pipeline.quality.land_raster import land_raster, main
from data_pipeline.quality.signatures import check_signatures
from data_pipeline.sources import FilesSource, SpeedySource
from data_pipeline.variables import VARIABLES
from tests.data_pipeline.defects import east_west, half_turn, moved, north_south, planet
from tests.mock_world import mock_states, mock_times

NATURAL_EARTH = Path(__file__).parents[2] / "evaluation" / "plots" / "natural_earth" / "countries-110m.json"
SPEEDY = Path(__file__).parents[3] / "shared" / "speedy"
GRID = Grid.equiangular(45, 90, poles=False)


def codes(states: xr.Dataset) -> dict[str | None, str]:
    report = Report()
    check_signatures(states, report)
    return {finding.variable: finding.code for finding in report}


def test_the_mask_is_what_natural_earth_gives(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("data_pipeline.quality.land_raster.ASSET", tmp_path / "mask.npy")
    monkeypatch.setattr("sys.argv", ["land_raster", str(NATURAL_EARTH)])
    main()
    assert (tmp_path / "mask.npy").read_bytes() == ASSET.read_bytes()
    assert ASSET.stat().st_size < 4096


def test_a_made_up_continent() -> None:
    """A box from 340 to 20 degrees east, across the meridian that lists begin with, and a cap round the south pole."""
    box = [[-20, 10], [40, 0], [0, 20], [-40, 0], [0, -20]]
    cap = [[-180, -70], [120, 0], [120, 0], [120, 0]]
    topology = {"transform": {"scale": [1, 1], "translate": [0, 0]}, "arcs": [box, cap],
                "objects": {"land": {"geometries": [{"arcs": [[[0]], [[1]]]}]}}}  # fmt: skip
    land = json.loads(json.dumps(topology))
    latitude = 89.0 - 2.0 * np.arange(90)[:, None]
    longitude = (1.0 + 2.0 * np.arange(180) + 180) % 360 - 180
    expected = ((np.abs(longitude) < 20) & (latitude > 10) & (latitude < 30)) | (latitude < -70)
    np.testing.assert_array_equal(land_raster(land), expected)


def test_well_known_places() -> None:
    land = land_at([52.0, -25.0, 0.0, -85.0], [20.0, 135.0, 200.0, 300.0])  # Poland, Australia, the Pacific, Antarctica
    assert np.diag(land).tolist() == [1.0, 1.0, 0.0, 1.0]
    fraction = land_fraction(np.asarray(GRID.latitude), np.asarray(GRID.longitude))
    assert 0.28 < np.average(fraction, weights=np.repeat(GRID.area_weights()[:, None], 90, axis=1)) < 0.30


@pytest.mark.parametrize(("change", "code"), [
    (north_south, "latitude-against-labels"), (half_turn, "rolled-against-labels"),
    (lambda land: land[:, ::-1], "mirrored-against-labels"), (lambda land: 1 - land, "mask-inverted"),
])  # fmt: skip
def test_land_out_of_place(change, code: str) -> None:
    land = land_fraction(np.asarray(GRID.latitude), np.asarray(GRID.longitude))
    assert misplaced(land, GRID) is None
    verdict = misplaced(change(land), GRID)
    assert verdict is not None
    assert verdict.code == code
    assert misplaced(np.random.default_rng(0).uniform(size=GRID.shape), GRID) is None
    assert misplaced(np.zeros(GRID.shape), GRID) is None


@pytest.mark.parametrize(
    ("name", "levels", "means", "wrong"),
    [
        ("geopotential", [500, 700, 850], [5.4e4, 3e4, 1.4e4], False),
        ("geopotential", [500, 700, 850], [5.4e4, 1.4e4, 3e4], True),
        ("temperature", [50, 500, 850], [215, 252, 280], False),
        ("temperature", [500, 700, 850], [280, 268, 252], True),
        ("temperature", [50, 100], [215, 200], False),
        ("specific_humidity", [500, 850], [6e-3, 1e-3], True),
        ("u_component_of_wind", [500, 850], [3.0, 5.0], False),
        ("geopotential", [500], [5.4e4], False),
    ],
)
def test_columns(name: str, levels: list[int], means: list[float], wrong: bool) -> None:
    verdict = levels_exchanged(name, levels, np.asarray(means))
    assert (verdict is not None) == wrong


WEEK = 14
SEASONS = {"January": slice(0, WEEK), "July": slice(60, 60 + WEEK)}
EVERYTHING = ["geopotential", "temperature", "specific_humidity", "2m_temperature", "mean_sea_level_pressure",
              "land_sea_mask", "geopotential_at_surface"]  # fmt: skip


@pytest.mark.parametrize("season", SEASONS)
def test_the_shipped_planet_in_all_directions(season: str) -> None:
    states = planet().isel(time=SEASONS[season])
    assert codes(states) == {}
    flipped = codes(moved(None, north_south)(states.copy(deep=True)))
    assert set(flipped.values()) == {"latitude-against-labels"}
    assert {*EVERYTHING, "sea_surface_temperature"} - {"geopotential"} <= set(flipped)
    mirrored = codes(moved(None, east_west)(states.copy(deep=True)))
    assert set(mirrored.values()) == {"mirrored-against-labels"}
    assert {*EVERYTHING, "u_component_of_wind", "sea_surface_temperature"} - {"2m_temperature"} <= set(mirrored)
    rolled = codes(moved(None, half_turn)(states.copy(deep=True)))
    assert set(rolled) >= {"land_sea_mask", "geopotential_at_surface", "sea_surface_temperature"}
    assert set(rolled.values()) == {"rolled-against-labels"}


def test_winter_cold_over_the_wrong_half() -> None:
    january = planet()[["2m_temperature"]].isel(time=slice(0, 48))
    assert codes(january) == {}
    assert codes(moved(None, half_turn)(january.copy(deep=True))) == {"2m_temperature": "rolled-against-labels"}


@pytest.mark.parametrize("month", range(1, 13))
def test_the_mock_world_is_no_earth_and_not_judged(month: int) -> None:
    variables = {"geopotential": [500, 850], "temperature": [850], "u_component_of_wind": [850], "vorticity": [850],
                 "specific_humidity": [700], "2m_temperature": None, "mean_sea_level_pressure": None}  # fmt: skip
    grid = Grid.equiangular(17, 32, poles=True)
    assert codes(mock_states(grid, mock_times(f"2001-{month:02d}-01", 8), variables)) == {}


def test_surface_pressure_and_near_surface_winds() -> None:
    latitude = np.asarray(GRID.latitude)[:, None] + np.zeros(GRID.shape)
    pressure = np.where(latitude < -72, 7e4, 1e5)[None].astype(np.float32)
    states = xr.Dataset({"surface_pressure": (("time", "latitude", "longitude"), pressure)},
                        {"time": mock_times("2001-04-01", 1), **GRID.coordinates})  # fmt: skip
    assert codes(states) == {}
    assert codes(moved(None, north_south)(states)) == {"surface_pressure": "latitude-against-labels"}


def test_part_of_the_globe_is_not_judged() -> None:
    assert codes(moved(None, north_south)(planet().copy(deep=True)).isel(latitude=slice(0, 16))) == {}


def test_fine_grids_are_thinned() -> None:
    fine = Grid.equiangular(361, 720, poles=True)
    land = land_fraction(np.asarray(fine.latitude), np.asarray(fine.longitude))
    states = xr.Dataset({"land_sea_mask": (("latitude", "longitude"), land[::-1])}, fine.coordinates)
    assert codes(states) == {"land_sea_mask": "latitude-against-labels"}


def test_damaged_states_are_named(tmp_path) -> None:
    states = planet()[["2m_temperature"]].isel(time=slice(0, 4))
    states.chunk(time=1).to_zarr(tmp_path / "world.zarr", zarr_format=2, consolidated=True)
    (tmp_path / "world.zarr" / "2m_temperature" / "2.0.0").write_bytes(b"not a chunk")
    damaged = FilesSource(path=str(tmp_path / "world.zarr")).open(["2m_temperature"])
    with pytest.raises(DataError, match="cannot be read"):
        check_signatures(damaged, Report())


REAL = {
    "era5_msl_2p5deg_djf2025.zarr": ({"latitude-against-labels"}, {"mirrored-against-labels"}),
    "era5_vo850_2p5deg_djf2025.zarr": ({"latitude-against-labels"}, {"mirrored-against-labels"}),
    "era5_tl31_19590102T00.nc": ({"latitude-against-labels"}, set()),
    "era5_z_t_1deg.nc": ({"latitude-against-labels"}, set()),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(real_data, name: str) -> None:
    states = FilesSource(path=str(real_data / name)).open(tuple(VARIABLES))
    states = states.isel(time=slice(0, 12)).load()
    flipped, mirrored = REAL[name]
    assert codes(states) == {}
    assert set(codes(moved(None, north_south)(states.copy(deep=True))).values()) == flipped
    assert set(codes(moved(None, east_west)(states.copy(deep=True))).values()) == mirrored


@pytest.mark.parametrize("planet_name", ["planet_a_64x32.nc", "planet_b_64x32.nc"])
def test_13_years_of_another_planet(planet_name: str) -> None:
    if not SPEEDY.is_dir():
        pytest.skip(f"no simulated planet at {SPEEDY}")
    source = SpeedySource(path=str(SPEEDY / planet_name), static_path=str(SPEEDY / "static_64x32.nc"))
    whole = source.open(tuple(VARIABLES)).sel(level=[500, 850])
    states = whole.isel(time=slice(None, None, 6)).load()
    months = states["time"].dt.year * 12 + states["time"].dt.month
    for month in np.unique(months):
        assert codes(states.isel(time=np.flatnonzero(months == month))) == {}, month
    year = whole.isel(time=np.sort(np.r_[0:700:70, 1:700:70])).load()
    assert codes(year) == {}
    assert set(codes(moved(None, north_south)(year.copy(deep=True))).values()) == {"latitude-against-labels"}
    assert set(codes(moved(None, east_west)(year.copy(deep=True))).values()) == {"mirrored-against-labels"}
