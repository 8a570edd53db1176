"""Forcings by name: order one, mirror signs, clocks and positions in closed form, what the shipped model is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.forcings import (
    FORCING_MIRROR_SIGNS,
    FORCING_NAMES,
    FORCINGS,
    POSITION_NAMES,
    clock_features,
    clock_names,
    forcings,
    mirror_signs,
    position_features,
    surface_features,
)
from data_pipeline.grid import Grid
from data_pipeline.sun import mean_solar_radiation

GRID = Grid.equiangular(18, 12, poles=False)
NOW = np.datetime64("2001-04-01T06", "ns")
times = st.integers(0, 40 * 365 * 24).map(lambda hour: np.datetime64("1985-01-01", "ns") + np.timedelta64(hour, "h"))


def hours(count: float) -> np.timedelta64:
    return np.timedelta64(int(count * 3600), "s")


def test_forcings_are_of_order_one_and_named() -> None:
    step = hours(6)
    values = forcings(np.datetime64("2001-04-01T06", "ns"), step, GRID)
    assert values.shape == (len(FORCING_NAMES), *GRID.shape)
    assert len(FORCING_MIRROR_SIGNS) == len(FORCING_NAMES)
    assert values.dtype == np.float32
    assert np.abs(values).max() < 4.2
    solar = mean_solar_radiation(np.datetime64("2001-04-01T00", "ns"), step, GRID) / 340.25
    np.testing.assert_allclose(values[0], solar, rtol=1e-5)
    np.testing.assert_allclose(values[1] ** 2 + values[2] ** 2, 1.0, rtol=1e-5)


def test_the_clock_turns_once_a_year() -> None:
    start = np.datetime64("2001-04-01", "ns")
    year = forcings(start + np.timedelta64(31556926, "s"), hours(6), GRID)
    half = forcings(start + np.timedelta64(31556926 // 2, "s"), hours(6), GRID)
    now = forcings(start, hours(6), GRID)
    np.testing.assert_allclose(year[1:], now[1:], atol=1e-5)
    np.testing.assert_allclose(half[1:], -now[1:], atol=1e-5)


@pytest.mark.parametrize("unit", ["h", "m", "s", "ns"])
def test_the_unit_of_the_time_does_not_matter(unit: str) -> None:
    time = np.datetime64("2001-04-01T06", unit)
    expected = forcings(np.datetime64("2001-04-01T06", "ns"), np.timedelta64(3, "h"), GRID)
    np.testing.assert_array_equal(forcings(time, np.timedelta64(3, "h"), GRID), expected)
    np.testing.assert_allclose(forcings(time, np.timedelta64(180, "m"), GRID), expected, rtol=1e-6)


def test_what_the_shipped_model_is_given_stays_as_it_was() -> None:
    """Written down from version 0.1.0."""
    values = forcings(np.datetime64("2001-04-01T12", "ns"), hours(12), Grid.gaussian(32, 64))
    written = [
        [0.3158077, 2.2586644, 0.3180224],
        [0.009508699, 0.009508699, 0.009508699],
        [0.9999548, 0.9999548, 0.9999548],
    ]
    np.testing.assert_allclose(values[:, [0, 10, 20], [0, 20, 40]], written, rtol=2e-6, atol=1e-7)


def test_the_mirror_signs_are_those_of_the_registry() -> None:
    assert mirror_signs(FORCING_NAMES) == FORCING_MIRROR_SIGNS


@given(times, st.sampled_from([1, 6, 12, 24]))
def test_every_forcing_is_of_order_one(time: np.datetime64, length: int) -> None:
    values = forcings(time, hours(length), GRID, list(FORCINGS))
    assert values.shape == (len(FORCINGS), *GRID.shape)
    assert values.dtype == np.float32
    assert np.abs(values).max() < 4.2


@given(times)
def test_half_a_year_on_the_sky_is_mirrored_as_the_signs_say(time: np.datetime64) -> None:
    """Half a year on, north and south change places; to the few percent by which the orbit is no circle."""
    names = [name for name in FORCINGS if not name.endswith("longitude")]
    later = time + np.timedelta64(182, "D")
    signs = np.array(mirror_signs(names))[:, None, None]
    now, then = (forcings(moment, hours(24), GRID, names) for moment in (time, later))
    latitudes = ["latitude" in name for name in names]
    mirrored = (signs * now)[:, ::-1]
    np.testing.assert_allclose(then[~np.array(latitudes)], mirrored[~np.array(latitudes)], atol=0.2)
    np.testing.assert_allclose(now[latitudes], mirrored[latitudes], atol=1e-6)


def test_names_choose_and_order() -> None:
    both = forcings(NOW, hours(6), GRID, ["sin_day", "solar_radiation"])
    np.testing.assert_array_equal(both[0], forcings(NOW, hours(6), GRID, ["sin_day"])[0])
    np.testing.assert_array_equal(both[1], forcings(NOW, hours(6), GRID)[0])


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="unknown forcing 'moon'; expected one of: solar_radiation, toa_incident"):
        forcings(NOW, hours(6), GRID, ["moon"])
    with pytest.raises(DataError, match="unknown forcing 'moon'"):
        mirror_signs(["moon"])


def test_the_day_begins_at_local_midnight() -> None:
    """At 06 UTC it is midnight on 270 degrees east, morning at Greenwich, noon on 90 east."""
    cosine, sine = forcings(NOW, hours(6), GRID, ["cos_day", "sin_day"])
    for longitude, expected in ((270, (1, 0)), (0, (0, 1)), (90, (-1, 0)), (180, (0, -1))):
        column = GRID.longitude.index(longitude)
        np.testing.assert_allclose([cosine[:, column], sine[:, column]], np.outer(expected, np.ones(18)), atol=1e-6)


@pytest.mark.parametrize("length", [1, 6, 12, 24, 48])
def test_steps_of_whole_days_have_no_clock_of_the_day(length: int) -> None:
    names = clock_names(hours(length))
    assert names == ("cos_year", "sin_year") + (("cos_day", "sin_day") if length % 24 else ())
    np.testing.assert_array_equal(clock_features(NOW, hours(length), GRID), forcings(NOW, hours(length), GRID, names))


def test_positions_are_a_point_on_the_sphere() -> None:
    north, out, east, front = position_features(GRID).astype(np.float64)
    assert POSITION_NAMES == ("sin_latitude", "cos_latitude", "sin_longitude", "cos_longitude")
    np.testing.assert_allclose(north**2 + (out * east) ** 2 + (out * front) ** 2, 1, atol=1e-6)
    latitude, longitude = np.rad2deg(np.arcsin(north)), np.rad2deg(np.arctan2(east, front)) % 360
    np.testing.assert_allclose(latitude, np.array(GRID.latitude)[:, None] * np.ones(12), atol=1e-4)
    np.testing.assert_allclose(longitude, np.array(GRID.longitude) * np.ones((18, 1)), atol=1e-4)


def test_surface_fields_have_area_mean_zero_and_variance_one() -> None:
    rng = np.random.default_rng(0)
    fields = np.stack([rng.gamma(1.0, 5e3, GRID.shape), rng.random(GRID.shape) < 0.3, np.full(GRID.shape, 7.0)])
    scaled = surface_features(fields, GRID)
    weights = GRID.area_weights()[:, None] * np.ones(12)
    for field in scaled[:2].astype(np.float64):
        assert np.average(field, weights=weights) == pytest.approx(0, abs=1e-6)
        assert np.average(field**2, weights=weights) == pytest.approx(1, abs=1e-5)
    assert np.abs(scaled[2]).max() < 1e-5
    assert surface_features(np.zeros((0, *GRID.shape)), GRID).shape == (0, *GRID.shape)
