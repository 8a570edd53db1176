"""The sun against numerical integration, almanac values and the energy that a planet receives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.forcings import (
    FORCING_MIRROR_SIGNS,
    FORCING_NAMES,
    SOLAR_CONSTANT,
    forcings,
    mean_solar_radiation,
)
from data_pipeline.grid import Grid

GRID = Grid.equiangular(18, 12, poles=False)
WITH_POLES = Grid.equiangular(19, 12, poles=True)
SECOND = np.timedelta64(1, "s")
starts = st.integers(0, 40 * 365 * 86400).map(lambda seconds: np.datetime64("1985-01-01", "ns") + seconds * SECOND)


def hours(count: float) -> np.timedelta64:
    return np.timedelta64(int(count * 3600), "s")


def global_mean(field: np.ndarray, grid: Grid) -> float:
    return float(np.average(field.mean(axis=1), weights=grid.area_weights()))


@settings(max_examples=25)
@given(starts, st.sampled_from([1, 3, 6, 12, 24, 36]), st.booleans())
def test_equals_the_sum_over_short_steps(start: np.datetime64, length: int, poles: bool) -> None:
    """Midpoint rule: many instants (steps of a second) against one closed form."""
    grid = WITH_POLES if poles else GRID
    count = 240
    step = hours(length) / count
    middles = start + step * np.arange(count) + step / 2
    summed = np.mean([mean_solar_radiation(middle, SECOND, grid) for middle in middles], axis=0)
    np.testing.assert_allclose(mean_solar_radiation(start, hours(length), grid), summed, atol=3.0)


@given(starts, st.sampled_from([1, 6, 12, 24]))
def test_is_never_negative_nor_more_than_the_sun_gives(start: np.datetime64, length: int) -> None:
    radiation = mean_solar_radiation(start, hours(length), WITH_POLES)
    assert radiation.shape == WITH_POLES.shape
    assert np.all(radiation > -1e-6)
    assert np.all(radiation <= SOLAR_CONSTANT * 1.035)


@settings(max_examples=20)
@given(starts)
def test_steps_add_up(start: np.datetime64) -> None:
    parts = [mean_solar_radiation(start + k * hours(6), hours(6), GRID) for k in range(4)]
    np.testing.assert_allclose(np.mean(parts, axis=0), mean_solar_radiation(start, hours(24), GRID), atol=3.0)


def test_the_planet_receives_a_quarter_of_the_solar_constant() -> None:
    fine = Grid.equiangular(90, 4, poles=False)
    days = np.datetime64("2001-01-01", "ns") + np.arange(365) * hours(24)
    mean = np.mean([global_mean(mean_solar_radiation(day, hours(24), fine), fine) for day in days])
    assert mean == pytest.approx(SOLAR_CONSTANT / 4, rel=2e-3)  # the orbit adds 1/sqrt(1 - e^2)


def test_perihelion_is_seven_per_cent_stronger_than_aphelion() -> None:
    january, july = (
        global_mean(mean_solar_radiation(np.datetime64(day, "ns"), hours(24), GRID), GRID)
        for day in ("2001-01-04", "2001-07-04")
    )
    assert january / july == pytest.approx(((1 + 0.0167) / (1 - 0.0167)) ** 2, rel=5e-3)


@pytest.mark.parametrize(
    ("day", "declination"), [("2000-03-20", 0.0), ("2000-06-21", 23.44), ("2000-09-22", 0.0), ("2000-12-21", -23.44)]
)
def test_daily_means_follow_the_almanac(day: str, declination: float) -> None:
    """Closed form of the daily mean: S/(pi d^2) (h sin(lat) sin(dec) + cos(lat) cos(dec) sin(h))."""
    radiation = mean_solar_radiation(np.datetime64(day, "ns"), hours(24), GRID)[:, 0]
    latitude, dec = np.deg2rad(GRID.latitude), np.deg2rad(declination)
    sunset = np.arccos(np.clip(-np.tan(latitude) * np.tan(dec), -1, 1))
    expected = (sunset * np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.sin(sunset)) / np.pi
    day_of_year = (np.datetime64(day) - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")
    distance = 1 - 0.0167 * np.cos(2 * np.pi * (day_of_year - 3) / 365.25)
    np.testing.assert_allclose(radiation, SOLAR_CONSTANT * expected / distance**2, atol=4.0)


def test_polar_day_and_polar_night() -> None:
    june = mean_solar_radiation(np.datetime64("2001-06-21", "ns"), hours(24), WITH_POLES)
    np.testing.assert_allclose(june[0], june[0, 0], rtol=1e-6)
    assert june[0, 0] == pytest.approx(SOLAR_CONSTANT * np.sin(np.deg2rad(23.44)) / 1.0163**2, rel=2e-3)
    assert np.all(june[-1] == 0)


@pytest.mark.parametrize(("day", "minutes"), [("2001-02-11", -14.2), ("2001-05-14", 3.7), ("2001-11-03", 16.4)])
def test_noon_follows_the_equation_of_time(day: str, minutes: float) -> None:
    """The sun is highest at Greenwich ``minutes`` before 12 UTC."""
    times = np.datetime64(f"{day}T11:20", "ns") + np.arange(0, 80 * 60, 10) * SECOND
    equator = Grid((1.0, -1.0), (0.0, 180.0))
    highest = times[np.argmax([mean_solar_radiation(time, SECOND, equator)[0, 0] for time in times])]
    before_noon = (np.datetime64(f"{day}T12:00", "ns") - highest) / np.timedelta64(1, "m")
    assert before_noon == pytest.approx(minutes, abs=0.5)


def test_the_sun_moves_westward() -> None:
    early, late = (
        int(np.argmax(mean_solar_radiation(np.datetime64(time, "ns"), hours(1), GRID)[9]))
        for time in ("2001-03-20T11:30", "2001-03-20T17:30")
    )
    assert GRID.longitude[early] == 0.0
    assert GRID.longitude[late] == 270.0


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
