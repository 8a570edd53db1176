"""Canonical form: every layout that providers use comes out the same, and nothing else gets through."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.canonical import canonicalise, check, known_names
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import DefectError, Report
from data_pipeline.sources.files import open_raw
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 3))
FLAT = WORLD[["2m_temperature"]]


def with_units(units: str, value: float, name: str = "2m_temperature") -> xr.Dataset:
    field = xr.full_like(FLAT["2m_temperature"], value, dtype=np.float64).assign_attrs(units=units)
    return xr.Dataset({name: field})


def test_canonical_data_stay_as_they_are() -> None:
    xr.testing.assert_identical(canonicalise(WORLD).drop_attrs(), WORLD.drop_attrs())
    check(canonicalise(WORLD))


def test_climate_data_store_layout() -> None:
    raw = climate_data_store_layout(WORLD)
    assert {"z", "t", "t2m", "msl"} == set(raw.data_vars)
    xr.testing.assert_equal(canonicalise(raw), WORLD)


@settings(max_examples=30)
@given(
    st.booleans(), st.booleans(), st.booleans(), st.integers(0, 11), st.permutations(["time", "level", "lat", "lon"]),
    st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_any_order_and_direction(
    south_first: bool, west_negative: bool, closed: bool, roll: int, order: list[str], dtype: type
) -> None:
    raw = WORLD.rename(latitude="lat", longitude="lon").roll(lon=roll, roll_coords=True)
    if west_negative:
        raw = raw.assign_coords(lon=(raw["lon"] + 180) % 360 - 180)
    if closed:
        first = raw.isel(lon=[0])
        raw = xr.concat([raw, first.assign_coords(lon=first["lon"] + 360)], "lon", data_vars="all", join="outer")
    raw = raw.sortby("lat", ascending=south_first).transpose(*order)
    raw = raw.assign_coords(lat=raw["lat"].astype(dtype), lon=raw["lon"].astype(dtype))
    before = raw.copy(deep=True)
    result = canonicalise(raw)
    check(result)
    xr.testing.assert_equal(result, WORLD)
    xr.testing.assert_identical(raw, before)  # the input is not touched


def test_coordinates_and_fields_are_labelled() -> None:
    result = canonicalise(climate_data_store_layout(WORLD))
    assert result["latitude"].attrs["units"] == "degrees_north"
    assert result["longitude"].attrs["units"] == "degrees_east"
    assert result["level"].attrs["units"] == "hPa"
    assert result["geopotential"].attrs == {
        "standard_name": "geopotential", "long_name": "geopotential", "units": "m2 s-2",
    }  # fmt: skip
    assert result["geopotential"].dtype == np.float32


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("2m_temperature", "K", 280.0, 280.0),
        ("2m_temperature", "degC", 10.0, 283.15),
        ("t2m", "°C", -10.0, 263.15),
        ("msl", "hPa", 1013.25, 101325.0),
        ("msl", "millibars", 1000.0, 1e5),
        ("tp", "mm", 12.0, 0.012),
        ("tp", "m", 0.012, 0.012),
        ("tp", "kg m**-2", 12.0, 0.012),
        ("sd", "m of water equivalent", 0.5, 0.5),
        ("tcwv", "mm", 25.0, 25.0),
        ("tcc", "%", 60.0, 0.6),
        ("tcc", "(0 - 1)", 0.6, 0.6),
        ("tisr", "J m**-2", 3e6, 3e6),
        ("tisr", "kJ m-2", 3e3, 3e6),
        ("u10", "knots", 36.0, 18.52),
        ("zs", "m", 100.0, 980.665),
        ("u10", "m.s-1", 3.0, 3.0),
        ("u10", "m s**-1", 3.0, 3.0),
        ("lsm", "(0 - 1)", 0.5, 0.5),
    ],
)
def test_units_convert(name: str, units: str, value: float, expected: float) -> None:
    result = canonicalise(with_units(units, value, name))
    (field,) = result.data_vars.values()
    np.testing.assert_allclose(field, np.float32(expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("z", "m**2 s**-2", 5e4, 5e4),
        ("gh", "gpm", 5500.0, 53936.575),
        ("gh", "gpdm", 550.0, 53936.575),
        ("gh", "dam", 550.0, 53936.575),
        ("r", "1", 0.5, 50.0),
        ("z", "m", 5500.0, 53936.575),
        ("q", "g kg-1", 5.0, 0.005),
        ("q", "kg kg**-1", 0.005, 0.005),
        ("vo", "s**-1", 1e-5, 1e-5),
    ],
)
def test_units_convert_on_levels(name: str, units: str, value: float, expected: float) -> None:
    field = xr.full_like(WORLD["temperature"], value, dtype=np.float64).assign_attrs(units=units)
    (result,) = canonicalise(xr.Dataset({name: field})).data_vars.values()
    np.testing.assert_allclose(result, np.float32(expected), rtol=1e-6)


def test_only_water_has_a_weight_for_a_thickness() -> None:
    with pytest.raises(DataError, match="boundary_layer_height has units 'kg m-2', expected one of: m, mm, cm"):
        canonicalise(with_units("kg m**-2", 500.0, "blh"))


def test_wrong_units_list_the_right_ones() -> None:
    message = "2m_temperature has units 'furlong', expected one of: K, degC; set its 'units' attribute"
    with pytest.raises(DataError, match=message):
        canonicalise(with_units("furlong", 1.0))
    with pytest.raises(DataError, match="2m_temperature has units '', expected one of: K"):
        canonicalise(FLAT.drop_attrs())


def test_conversion_is_lazy() -> None:
    assert all(field.chunks for field in canonicalise(with_units("degC", 1.0).chunk()).data_vars.values())


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


@pytest.mark.parametrize(("units", "scale"), [("Pa", 100), ("hPa", 1), ("millibars", 1), (None, 1)])
def test_levels_in_any_pressure_unit(units: str | None, scale: int) -> None:
    level = (WORLD["level"] * float(scale)).assign_attrs({"units": units} if units else {})
    raw = WORLD.assign_coords(level=level).isel(level=[1, 0]).rename(level="plev")
    result = canonicalise(raw)
    assert result["level"].values.tolist() == [500, 850]
    assert result["level"].dtype.kind == "i"
    xr.testing.assert_equal(result["temperature"], WORLD["temperature"])


@pytest.mark.parametrize(
    ("levels", "units", "message"),
    [
        ([0.5, 850], "hPa", r"levels are \[0.5, 850.0\] hPa, expected whole hPa in 1..1100; select those"),
        ([50000, 85000], None, "levels are .* expected whole hPa in 1..1100; select those, or set their 'units'"),
        ([1, 2], "1", "levels are in '1', expected pressure in one of: hPa, Pa"),
        ([500, 500], "hPa", r"levels must ascend, got \[500, 500\]"),
    ],
)
def test_refused_levels(levels: list, units: str | None, message: str) -> None:
    axis = ("level", levels, {"units": units} if units else {})
    with pytest.raises(DataError, match=message):
        canonicalise(WORLD.assign_coords(level=axis))


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


@pytest.mark.parametrize("change", [
    lambda raw: raw.rename(latitude="y"),
    lambda raw: raw.drop_vars("latitude"),
    lambda raw: raw.isel(latitude=0),
])  # fmt: skip
def test_no_latitude_axis(change) -> None:
    with pytest.raises(
        DataError, match=r"no latitude axis; got dims .*, expected a latitude-longitude grid in degrees"
    ):
        canonicalise(change(FLAT))


def test_doubled_columns_are_refused_unless_they_close_the_circle() -> None:
    doubled = FLAT.isel(longitude=[0, 0, *range(1, 12)])
    with pytest.raises(DataError, match="longitude must ascend"):
        canonicalise(doubled)


def test_nan_latitudes_are_refused() -> None:
    latitude = FLAT["latitude"].values.copy()
    latitude[2] = np.nan
    with pytest.raises(DataError, match="latitude must run from north to south"):
        canonicalise(FLAT.assign_coords(latitude=latitude))


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


def test_packed_integers_are_unpacked_and_written_as_floats(tmp_path) -> None:
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": np.int16(-32768)}
    FLAT.to_netcdf(tmp_path / "packed.nc", encoding={"2m_temperature": packing})
    result = canonicalise(open_raw(tmp_path / "packed.nc"))
    np.testing.assert_allclose(result["2m_temperature"], FLAT["2m_temperature"], atol=0.0051)
    result.to_netcdf(tmp_path / "again.nc")
    xr.testing.assert_equal(canonicalise(open_raw(tmp_path / "again.nc")), result)


def test_missing_values_stay_missing() -> None:
    land = FLAT.where(np.arange(12) > 3).assign_attrs(units="K")
    raw = xr.Dataset({"sst": land["2m_temperature"].astype(np.float64)})
    raw["sst"].attrs["units"] = "degC"
    result = canonicalise(raw)["sea_surface_temperature"]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(land["2m_temperature"]))


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


@given(st.permutations(range(6)))
def test_times_are_sorted(order: list[int]) -> None:
    raw = mock_states(GRID, mock_times("2000-01-01", 6), {"2m_temperature": None})
    report = Report()
    xr.testing.assert_equal(canonicalise(raw.isel(time=order), report=report), raw)
    assert ("time-sorted" in report.codes) == (list(order) != sorted(order))


def test_a_repeated_time_is_kept() -> None:
    assert canonicalise(WORLD.isel(time=[0, 1, 1]))["time"].size == 3


@pytest.mark.parametrize(
    ("times", "code", "message"),
    [
        ([0, 6, 12], "time-invalid", "the time axis holds int64 numbers, expected dates; set CF 'units' and"),
        (np.array(["2000-01-01", "NaT", "2000-01-03"], "M8[ns]"), "time-invalid", "holds no date at some index"),
        (
            xr.date_range("2000-01-01", periods=3, calendar="noleap", use_cftime=True), "calendar-unsupported",
            "times are of the calendar 'noleap', expected one of: standard, gregorian, proleptic_gregorian",
        ),
    ],
)  # fmt: skip
def test_refused_times(times: object, code: str, message: str) -> None:
    with pytest.raises(DefectError, match=message) as raised:
        canonicalise(WORLD.assign_coords(time=times))
    assert raised.value.code == code


def test_levels_in_two_units_are_told_apart() -> None:
    message = r"levels \[500.0\] look like hPa and \[85000.0\] like Pa on one axis"
    for units in ("hPa", "millibars"):
        with pytest.raises(DefectError, match=message) as raised:
            canonicalise(WORLD.assign_coords(level=("level", [500, 85000], {"units": units})))
        assert raised.value.code == "levels-mixed-units"


def test_times_of_a_standard_calendar_in_another_type_are_converted() -> None:
    times = xr.date_range("2000-01-01", periods=3, freq="6h", calendar="gregorian", use_cftime=True)
    report = Report()
    xr.testing.assert_equal(canonicalise(WORLD.assign_coords(time=times), report=report), WORLD)
    assert report.codes == {"calendar-converted"}


def test_preliminary_times_are_counted() -> None:
    report = Report()
    canonicalise(WORLD.assign_coords(expver=("time", ["0001", "0005", "0005"])), report=report)
    assert [(finding.code, finding.count) for finding in report] == [("preliminary", 2)]
