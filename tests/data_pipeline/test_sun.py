"""The sun against numerical integration, almanac values and the energy that a planet receives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.grid import Grid
from data_pipeline.sun import SOLAR_CONSTANT, _sun, days_since_j2000, mean_solar_radiation, toa_incident_solar_radiation

GRID = Grid.equiangular(18, 12, poles=False)
WITH_POLES = Grid.equiangular(19, 12, poles=True)
SECOND = np.timedelta64(1, "s")
starts = st.integers(0, 40 * 365 * 86400).map(lambda seconds: np.datetime64("1985-01-01", "ns") + seconds * SECOND)


def hours(count: float) -> np.timedelta64:
    return np.timedelta64(int(count * 3600), "s")


def global_mean(field: np.ndarray, grid: Grid) -> float:
    return float(np.average(field.mean(axis=1), weights=grid.area_weights()))


def instant(days: np.ndarray, sun_at: np.ndarray, grid: Grid) -> np.ndarray:
    """Radiation (time, latitude, longitude) at days since J2000, with the sun where it is at ``sun_at``."""
    declination, distance, equation_of_time = np.array([_sun(day) for day in sun_at]).T[..., None, None]
    latitude, longitude = np.deg2rad(np.array(grid.latitude))[:, None], np.deg2rad(np.array(grid.longitude))
    hour_angle = 2 * np.pi * ((days + 0.5) % 1)[:, None, None] - np.pi + equation_of_time + longitude
    cosine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return SOLAR_CONSTANT / distance**2 * np.maximum(cosine, 0)


def integrated(start: np.datetime64, length: float, grid: Grid, *, moving: bool, count: int = 4000) -> np.ndarray:
    """The mean over ``length`` hours by the midpoint rule, the sun at the middle of the step or moving on."""
    first = days_since_j2000(start)
    days = first + length / 24 * (np.arange(count) + 0.5) / count
    sun_at = days if moving else np.full(count, first + length / 48)
    return instant(days, sun_at, grid).mean(axis=0)


@settings(max_examples=12)
@given(starts, st.sampled_from([1, 3, 6, 12, 24, 36]), st.booleans())
def test_equals_numerical_integration(start: np.datetime64, length: int, poles: bool) -> None:
    """To a millionth of the solar constant everywhere, and to a millionth where the sun is up all the step."""
    grid = WITH_POLES if poles else GRID
    closed, numerical = mean_solar_radiation(start, hours(length), grid), integrated(start, length, grid, moving=False)
    np.testing.assert_allclose(closed, numerical, rtol=1e-6, atol=1e-6 * SOLAR_CONSTANT)


@settings(max_examples=12)
@given(starts, st.sampled_from([1, 6, 12, 24]))
def test_the_sum_follows_the_moving_sun(start: np.datetime64, length: int) -> None:
    closed = toa_incident_solar_radiation(start + hours(length), hours(length), WITH_POLES) / (3600 * length)
    numerical = integrated(start, length, WITH_POLES, moving=True)
    np.testing.assert_allclose(closed, numerical, rtol=1e-6, atol=2e-6 * SOLAR_CONSTANT)


@settings(max_examples=25)
@given(starts, st.sampled_from([1, 6, 12, 24]))
def test_a_still_sun_costs_little(start: np.datetime64, length: int) -> None:
    moving = toa_incident_solar_radiation(start + hours(length), hours(length), GRID) / (3600 * length)
    bound = {1: 0.05, 6: 0.6, 12: 0.9, 24: 1.5}[length]
    np.testing.assert_allclose(mean_solar_radiation(start, hours(length), GRID), moving, rtol=0, atol=bound)


@pytest.mark.parametrize("length", [0.01, 0.25, 0.3])
def test_short_steps_are_summed_too(length: float) -> None:
    start = np.datetime64("2001-06-21T12", "ns")
    got = toa_incident_solar_radiation(start + hours(length), hours(length), GRID)
    np.testing.assert_allclose(
        got, mean_solar_radiation(start, hours(length), GRID) * 3600 * length, rtol=1e-3, atol=0.1
    )


def test_the_sun_stands_where_astropy_sees_it() -> None:
    """Radiation of instants against cosine of the zenith distance and distance of astropy's sun: 0.02 degrees."""
    pytest.importorskip("astropy", reason="astropy is only installed to test the sun's position")
    from astropy import units
    from astropy.coordinates import TETE, get_sun
    from astropy.time import Time
    from astropy.utils import iers

    times = np.datetime64("1980-01-01", "ns") + np.arange(60) * np.timedelta64(6673, "h")
    with iers.conf.set_temp("auto_download", False):
        moments = Time(times, scale="utc")
        moments.delta_ut1_utc = 0.0  # under a second, and the tables of the earth's rotation need the internet
        sun = get_sun(moments)
        distance = sun.distance.to_value(units.au)
        apparent = sun.transform_to(TETE(obstime=moments))
        sidereal = moments.sidereal_time("apparent", "greenwich")
    longitude, latitude = np.deg2rad(np.array(GRID.longitude)), np.deg2rad(np.array(GRID.latitude))[:, None]
    hour_angle = (sidereal.rad - apparent.ra.rad)[:, None, None] + longitude
    declination = apparent.dec.rad[:, None, None]
    cosine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    expected = SOLAR_CONSTANT * np.maximum(cosine, 0) / distance[:, None, None] ** 2
    got = np.array([mean_solar_radiation(time, np.timedelta64(1, "ms"), GRID) for time in times])
    np.testing.assert_allclose(got, expected, rtol=0, atol=SOLAR_CONSTANT * np.deg2rad(0.02))


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
    for length in (1, 6, 12, 24):
        night = toa_incident_solar_radiation(np.datetime64("2001-06-22T00", "ns"), hours(length), WITH_POLES)
        assert np.all(night[-3:] == 0)
        assert np.all(night[:3] > 0)


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
