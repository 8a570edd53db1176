"""The simulated planet: flat names, the units of its labels, and every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import Report
from data_pipeline.sources import SpeedySource
from tests.mock_world import mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from collections.abc import Callable

GRID = Grid.equiangular(6, 12, poles=False)
SPEEDY = Path(__file__).parents[3] / "shared" / "speedy"


def flat_planet(dtype: type = np.float32) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """(canonical world, the same with flat names south to north, static fields) as the simulated planet has them."""
    world = mock_states(
        GRID, mock_times("2000-01-01", 4, 12),
        {"geopotential": [500], "u_component_of_wind": [200, 850], "2m_temperature": None, "total_precipitation": None},
    )  # fmt: skip
    names = {"lat": "latitude", "lon": "longitude"}
    units = {"z500": "m", "u850": "m s-1", "u200": "m s-1", "t2m": "K", "tp": "mm per 12 h", "u10": "m s-1",
             "orography": "m", "land_sea_mask": "1"}  # fmt: skip
    flat = {
        "z500": world["geopotential"].sel(level=500, drop=True) / 9.80665,
        "u850": world["u_component_of_wind"].sel(level=850, drop=True),
        "u200": world["u_component_of_wind"].sel(level=200, drop=True),
        "t2m": world["2m_temperature"], "tp": world["total_precipitation"] * 1000, "u10": world["2m_temperature"],
        "rain": world["2m_temperature"],
    }  # fmt: skip
    static = mock_static(GRID)
    still = {"orography": static["geopotential_at_surface"] / 9.80665, "land_sea_mask": static["land_sea_mask"]}
    both = [xr.Dataset(fields).rename({new: old for old, new in names.items()}).isel(lat=slice(None, None, -1))
            for fields in (flat, still)]  # fmt: skip
    for data in both:
        for name in set(units) & set(data):
            data[name].attrs = {"units": units[name]}
    single = [data.assign_coords(lat=data["lat"].astype(dtype), lon=data["lon"].astype(dtype)) for data in both]
    return world, single[0], single[1]


@pytest.fixture
def planet(tmp_path):
    world, flat, static = flat_planet()
    flat.to_netcdf(tmp_path / "planet.nc")
    static.to_netcdf(tmp_path / "static.nc")
    return world, SpeedySource(path=str(tmp_path / "planet.nc"), static_path=str(tmp_path / "static.nc"))


def test_the_simulated_planet_is_canonical(planet) -> None:
    world, source = planet
    result = source.open({*world.data_vars, "land_sea_mask", "geopotential_at_surface"})
    check(result)
    assert set(result.data_vars) == {*world.data_vars, "land_sea_mask", "geopotential_at_surface"}
    for name in ("2m_temperature", "total_precipitation"):
        np.testing.assert_allclose(result[name], world[name], rtol=1e-6)
    wind = result["u_component_of_wind"].sel(level=[200, 850])
    np.testing.assert_allclose(wind, world["u_component_of_wind"].sel(level=[200, 850]), rtol=1e-6)
    np.testing.assert_allclose(result["geopotential"].sel(level=500), world["geopotential"].sel(level=500), rtol=1e-6)
    assert result["geopotential"].sel(level=200).isnull().all()
    np.testing.assert_allclose(
        result["geopotential_at_surface"], mock_static(GRID)["geopotential_at_surface"], rtol=1e-5
    )


def test_the_simulated_planet_alone(planet, tmp_path) -> None:
    world, source = planet
    alone = SpeedySource(path=source.path)
    assert set(alone.open({"2m_temperature", "land_sea_mask"}).data_vars) == {"2m_temperature"}
    with pytest.raises(DataError, match=r"planet\.nc holds none of vorticity; it has .*2m_temperature"):
        alone.open({"vorticity"})
    assert "10m_u_component_of_wind" not in alone.open(set(world.data_vars)).data_vars


def test_static_fields_on_another_grid_are_refused(planet, tmp_path) -> None:
    _, source = planet
    with xr.open_dataset(source.static_path) as static:
        moved = static.load().assign_coords(lon=static["lon"] + 1)
    moved.to_netcdf(tmp_path / "moved.nc")
    with pytest.raises(DataError, match=r"moved\.nc does not fit .*planet\.nc .*; give both on one grid"):
        SpeedySource(path=source.path, static_path=str(tmp_path / "moved.nc")).open({"2m_temperature"})


def relabelled(tmp_path: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> SpeedySource:
    """The planet after a change of its file."""
    _, flat, static = flat_planet()
    change(flat).to_netcdf(tmp_path / "changed.nc")
    static.to_netcdf(tmp_path / "still.nc")
    return SpeedySource(path=str(tmp_path / "changed.nc"), static_path=str(tmp_path / "still.nc"))


def with_units(name: str, units: str, scale: float = 1.0, offset: float = 0.0) -> Callable[[xr.Dataset], xr.Dataset]:
    """The same planet with a field in other units, if ``scale`` and ``offset`` are right."""

    def change(flat: xr.Dataset) -> xr.Dataset:
        return flat.assign({name: ((flat[name] - offset) / scale).assign_attrs(units=units)})

    return change


@pytest.mark.parametrize(
    ("name", "units", "scale", "offset", "variable"),
    [
        ("t2m", "degC", 1.0, 273.15, "2m_temperature"),
        ("t2m", "kelvin", 1.0, 0.0, "2m_temperature"),
        ("z500", "m2 s-2", 1 / 9.80665, 0.0, "geopotential"),
        ("z500", "gpdm", 10.0, 0.0, "geopotential"),
        ("tp", "mm", 1.0, 0.0, "total_precipitation"),
        ("tp", "m per 12 h", 1000.0, 0.0, "total_precipitation"),
    ],
)
def test_known_units_are_converted(
    tmp_path: Path, name: str, units: str, scale: float, offset: float, variable: str
) -> None:
    world, report = flat_planet()[0], Report()
    result = relabelled(tmp_path, with_units(name, units, scale, offset)).open({variable}, report=report)
    expected = world[variable]
    np.testing.assert_allclose(result[variable].sel(expected.coords), expected, rtol=1e-6)
    assert ("units-converted" in report.codes) == (units not in ("kelvin", "m2 s-2", "m per 12 h"))


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("t2m", "furlong", r"2m_temperature has units 'furlong', expected one of: K, degC"),
        ("t2m", "m2 s-2", r"2m_temperature has units 'm2 s-2', expected one of: K"),
        ("z500", "K", r"geopotential has units 'K', expected one of: m2 s-2"),
        ("tp", "mm per day", r"total_precipitation has units 'mm per day', expected one of: m, mm"),
        ("t2m", "", r"2m_temperature has units '', expected one of: K, degC; set its 'units' attribute"),
        ("u200", "knots", r"has u850 in 'm s-1', u200 in 'knots', .* in the same units; convert them"),
    ],
)
def test_other_units_are_refused(tmp_path: Path, name: str, units: str, expected: str) -> None:
    source = relabelled(tmp_path, with_units(name, units))
    with pytest.raises(DataError, match=expected):
        source.open({"2m_temperature", "geopotential", "u_component_of_wind", "total_precipitation"})
    assert set(source.open({"land_sea_mask"}).data_vars) == {"land_sea_mask"}


@pytest.mark.parametrize(("units", "hours"), [("mm per 12 h", 12), ("mm per 6 h", 6), ("mm", 12)])
def test_the_length_of_a_sum_is_that_of_its_units(tmp_path: Path, units: str, hours: int) -> None:
    rain = relabelled(tmp_path, with_units("tp", units)).open({"total_precipitation"})["total_precipitation"]
    assert rain.attrs["accumulation_hours"] == hours


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(("name", "axis"), [("lat", "lat"), ("lon", "lon")])
def test_an_axis_without_labels_is_refused(tmp_path: Path, name: str, axis: str, *, static: bool) -> None:
    source = relabelled(tmp_path, lambda flat: flat.drop_vars(name))
    source = source if static else SpeedySource(path=source.path)
    with pytest.raises(DataError, match=rf"changed\.nc has no {axis} axis, expected time, lat and lon, got labels of"):
        source.open({"2m_temperature", "land_sea_mask"})


def test_rows_from_north_to_south_are_refused(tmp_path: Path) -> None:
    source = relabelled(tmp_path, lambda flat: flat.isel(lat=slice(None, None, -1)))
    with pytest.raises(DataError, match=r"the latitudes of .*changed\.nc run 75\.\.-75, expected south to north, as"):
        source.open({"2m_temperature"})


@pytest.mark.parametrize("letter", ["a", "b"])
def test_the_real_planets_are_in_the_units_of_their_labels(letter: str) -> None:
    if not SPEEDY.is_dir():
        pytest.skip(f"no simulated planet at {SPEEDY}")
    file = SPEEDY / f"planet_{letter}_64x32.nc"
    with xr.open_dataset(file, engine="netcdf4") as raw:
        cut = raw[["z500", "t850", "q700", "tp"]].isel(time=slice(0, 4)).load().sortby("lat", ascending=False)
    source = SpeedySource(path=str(file), static_path=str(SPEEDY / "static_64x32.nc"))
    window = (cut["time"].values[0], cut["time"].values[-1])
    states = source.open({"geopotential", "temperature", "specific_humidity", "total_precipitation"}, window).load()
    for name, level, ours, scale in (
        ("geopotential", 500, "z500", 9.80665), ("temperature", 850, "t850", 1.0),
        ("specific_humidity", 700, "q700", 1.0), ("total_precipitation", None, "tp", 1e-3),
    ):  # fmt: skip
        field = states[name] if level is None else states[name].sel(level=level)
        np.testing.assert_allclose(field.values, cut[ours].values * scale, rtol=1e-6, atol=1e-9)
    assert states["total_precipitation"].attrs["accumulation_hours"] == 12
