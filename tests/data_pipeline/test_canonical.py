"""Canonical form: every layout that providers use comes out the same, and nothing else gets through."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import canonicalise, check, known_names
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.sources.files import open_raw
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 3))
FLAT = WORLD[["2m_temperature"]]


def test_canonical_data_stay_as_they_are() -> None:
    xr.testing.assert_identical(canonicalise(WORLD).drop_attrs(), WORLD.drop_attrs())
    check(canonicalise(WORLD))


def test_climate_data_store_layout() -> None:
    raw = climate_data_store_layout(WORLD)
    assert {"z", "t", "t2m", "msl"} == set(raw.data_vars)
    xr.testing.assert_equal(canonicalise(raw), WORLD)


def test_coordinates_and_fields_are_labelled() -> None:
    result = canonicalise(climate_data_store_layout(WORLD))
    assert result["latitude"].attrs["units"] == "degrees_north"
    assert result["longitude"].attrs["units"] == "degrees_east"
    assert result["level"].attrs["units"] == "hPa"
    assert result["geopotential"].attrs == {
        "standard_name": "geopotential", "long_name": "geopotential", "units": "m2 s-2",
    }  # fmt: skip
    assert result["geopotential"].dtype == np.float32


def test_wanted_variables_alone_must_be_sound() -> None:
    raw = WORLD.assign(tp=FLAT["2m_temperature"].assign_attrs(units="furlong"))
    assert list(canonicalise(raw, ["2m_temperature"]).data_vars) == ["2m_temperature"]


def test_dimensions_of_other_variables_do_not_matter() -> None:
    raw = FLAT.assign(
        time_bnds=(("time", "bnds"), np.zeros((3, 2))), spectrum=(("wavenumber",), np.zeros(9)), crs=((), 0)
    )
    xr.testing.assert_equal(canonicalise(raw), FLAT)


def test_missing_variables_are_named() -> None:
    with pytest.raises(DataError, match="the data lack vorticity; they have 2m_temperature, geopotential"):
        canonicalise(WORLD, ["vorticity", "temperature"])
    with pytest.raises(
        DataError, match="the data lack every variable that is asked for; they have rain; sphercast reads"
    ):
        canonicalise(xr.Dataset({"rain": FLAT["2m_temperature"]}))
    with pytest.raises(DataError, match="they have no variable"):
        canonicalise(xr.Dataset())


def test_a_variable_under_two_names_is_refused() -> None:
    raw = WORLD.assign(gh=WORLD["geopotential"])
    with pytest.raises(DataError, match="'geopotential' and 'gh' are both geopotential; drop one of them"):
        canonicalise(raw)


def test_unknown_variables_are_not_known() -> None:
    assert known_names(xr.Dataset({"t": FLAT["2m_temperature"], "rain": FLAT["2m_temperature"]})) == {
        "temperature": "t"
    }


def test_unknown_variables_are_kept_as_they_are_where_that_is_asked() -> None:
    raw = climate_data_store_layout(WORLD)
    t2m = raw["t2m"].variable
    raw = raw.assign(
        my_own=(t2m.dims, t2m.values, {"units": "furlong"}),
        odd=(("valid_time", "station"), np.zeros((raw.sizes["valid_time"], 2))),
        words=(t2m.dims, np.full(t2m.shape, "x")),
    )  # fmt: skip
    found = canonicalise(raw, others=True)
    assert set(found) == {*WORLD, "my_own"}
    xr.testing.assert_equal(found[list(WORLD)], WORLD)
    np.testing.assert_array_equal(found["my_own"], WORLD["2m_temperature"])
    assert (found["my_own"].dims, found["my_own"].attrs) == (WORLD["2m_temperature"].dims, {"units": "furlong"})
    alone = raw[["my_own"]].isel(valid_time=0)
    assert canonicalise(alone, others=True)["my_own"].dims == ("time", "latitude", "longitude")
    with pytest.raises(DataError, match="the data lack every variable that is asked for; they have my_own"):
        canonicalise(alone)


def test_scalar_time_and_level_become_axes() -> None:
    raw = WORLD.isel(time=0).sel(level=500)
    result = canonicalise(raw)
    xr.testing.assert_equal(result, WORLD.isel(time=[0]).sel(level=[500]))
    assert "level" not in result["2m_temperature"].dims


def test_valid_time_beside_scalar_time_is_the_time() -> None:
    raw = FLAT.isel(time=1).assign_coords(time=np.datetime64("1999-12-31", "ns"), valid_time=FLAT["time"].values[1])
    np.testing.assert_array_equal(canonicalise(raw)["time"], FLAT["time"].values[[1]])


def test_static_fields_have_no_time() -> None:
    static = mock_static(GRID)
    xr.testing.assert_equal(canonicalise(static), static)
    xr.testing.assert_equal(canonicalise(static.assign_coords(time=WORLD["time"].values[0])), static)


def test_surface_geopotential_of_the_climate_data_store() -> None:
    static = mock_static(GRID, ["geopotential_at_surface"])
    raw = static.rename(geopotential_at_surface="z")
    raw["z"].attrs = {"units": "m**2 s**-2", "GRIB_typeOfLevel": "surface"}
    xr.testing.assert_equal(canonicalise(raw), static)
    raw["z"].attrs.pop("GRIB_typeOfLevel")
    with pytest.raises(
        DataError, match="geopotential has no pressure level, expected a 'level' dimension or coordinate"
    ):
        canonicalise(raw)


def test_ensembles_are_refused_but_one_member_is_not() -> None:
    members = FLAT.expand_dims(number=[0, 1])
    with pytest.raises(DataError, match=r"unexpected dimensions \{'number': 2\}; expected .*; select one index"):
        canonicalise(members)
    xr.testing.assert_equal(canonicalise(members.isel(number=[0])), FLAT)


def test_expver_as_a_dimension_is_refused() -> None:
    with pytest.raises(DataError, match=r"unexpected dimensions {'expver': 2}"):
        canonicalise(FLAT.expand_dims(expver=["0001", "0005"]))


def test_forecasts_are_refused() -> None:
    raw = FLAT.rename(time="step").assign_coords(
        step=[0, 6, 12], time=np.datetime64("2000-01-01", "ns"), valid_time=("step", FLAT["time"].values)
    )
    with pytest.raises(DataError, match=r"unexpected dimensions {'step': 3}"):
        canonicalise(raw)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.transpose("latitude", ...), r"has dims \('latitude'.*, expected \('time', 'level'"),
        (lambda d: d.isel(longitude=0), "has dims"),
        (lambda d: d.drop_attrs(deep=True), "is in None, expected 'm2 s-2'; canonicalise first"),
        (lambda d: d.isel(level=[1, 0]), r"levels must ascend, got \[850, 500\]; canonicalise first"),
        (lambda d: d.isel(latitude=slice(None, None, -1)), "latitude must run from north to south"),
        (lambda d: d.rename(temperature="rain"), "unknown variable 'rain'"),
        (lambda d: d.isel(level=0), "geopotential has no pressure level, expected a 'level' dimension"),
    ],
)
def test_check_refuses(change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check(change(WORLD))


def test_check_refuses_levels_on_the_ground() -> None:
    with pytest.raises(DataError, match="2m_temperature has a 'level' dimension, expected a single-level field"):
        check(FLAT.expand_dims(level=[500]).transpose("time", "level", ...))


@pytest.mark.parametrize(
    ("name", "variables", "sizes"),
    [
        ("era5_msl_2p5deg_djf2025.zarr", {"mean_sea_level_pressure"}, {"time": 360, "latitude": 73, "longitude": 144}),
        ("era5_vo850_2p5deg_djf2025.zarr", {"vorticity"}, {"time": 360, "level": 1, "latitude": 73, "longitude": 144}),
        ("era5_z_t_1deg.nc", {"geopotential", "temperature"},
         {"time": 1, "level": 2, "latitude": 181, "longitude": 360}),
        ("era5_tl31_19590102T00.nc",
         {"geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity",
          "sea_surface_temperature", "sea_ice_cover"}, {"time": 1, "level": 37, "latitude": 32, "longitude": 64}),
    ],
)  # fmt: skip
def test_real_files(real_data, name: str, variables: set[str], sizes: dict[str, int]) -> None:
    with open_raw(real_data / name) as raw:
        result = canonicalise(raw)
        check(result)
        assert set(result.data_vars) == variables
        assert dict(result.sizes) == sizes
        first = result.isel(time=0).load()
    if "geopotential" in variables:
        heights = first["geopotential"].sel(level=500) / 9.80665
        assert 4500 < float(heights.min()) < float(heights.max()) < 6100
    if "temperature" in variables:  # the equator is warmer than the pole: latitudes were not turned round
        zonal = first["temperature"].sel(level=850).mean("longitude")
        assert float(zonal.sel(latitude=0, method="nearest")) > float(zonal.isel(latitude=0)) + 20
    if "sea_surface_temperature" in variables:
        assert 240 < float(first["sea_surface_temperature"].min()) < float(first["sea_surface_temperature"].max()) < 310


def test_canonical_data_need_no_repair() -> None:
    report = Report()
    canonicalise(WORLD, report=report)
    assert report.findings == []


def test_every_repair_is_said() -> None:
    raw = climate_data_store_layout(WORLD.isel(time=[1, 0, 2]))
    raw = raw.isel(latitude=slice(None, None, -1), pressure_level=[1, 0]).transpose("longitude", ...)
    raw = raw.assign_coords(
        longitude=(raw["longitude"] + 180) % 360 - 180,
        pressure_level=("pressure_level", raw["pressure_level"].values * 100, {"units": "Pa"}),
    )
    raw["t2m"] = (raw["t2m"] - 273.15).assign_attrs(units="degC")
    report = Report()
    result = canonicalise(raw, report=report)
    xr.testing.assert_allclose(result, WORLD)
    assert report.codes == {
        "variables-renamed", "time-sorted", "latitude-flipped", "levels-sorted", "levels-in-pascal", "dims-transposed",
        "longitude-rolled", "units-converted",
    }  # fmt: skip
    assert all(finding.repaired and finding.severity == "info" for finding in report)


def test_preliminary_times_are_counted() -> None:
    report = Report()
    canonicalise(WORLD.assign_coords(expver=("time", ["0001", "0005", "0005"])), report=report)
    assert [(finding.code, finding.count) for finding in report] == [("preliminary", 2)]
