"""Axes in canonical form: directions, orders and units of levels, latitudes, longitudes and times."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.canonical import canonicalise, check
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import DefectError, Report
from tests.mock_world import mock_states, mock_times

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 3))
FLAT = WORLD[["2m_temperature"]]


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
