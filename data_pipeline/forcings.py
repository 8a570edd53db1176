"""What is known of the future: the sun. And what never changes: orography, land, latitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

SOLAR_CONSTANT = 1361.0
"""Total solar irradiance at one astronomical unit, W m-2 (Kopp and Lean 2011)."""

FORCING_NAMES = ("solar_radiation", "cos_year", "sin_year")
FORCING_MIRROR_SIGNS = (1, -1, -1)
"""North and south exchanged, the sun stands over the other hemisphere and the year is half a year on."""

_J2000 = np.datetime64("2000-01-01T12:00:00", "ns")


def forcings(time: np.datetime64, step: np.timedelta64, grid: Grid) -> NDArray[np.float32]:
    """Forcings of the step that ends at ``time``: shape (3, latitude, longitude), named by FORCING_NAMES.

    Solar radiation is the mean over the step, over 340 W m-2, so that all three are of order one.
    """
    phase = 2 * np.pi * _days_since_j2000(time) / 365.2422
    ones = np.ones(grid.shape)
    solar = mean_solar_radiation(time - step, step, grid) / (SOLAR_CONSTANT / 4)
    return np.stack([solar, np.cos(phase) * ones, np.sin(phase) * ones]).astype(np.float32)


def mean_solar_radiation(start: np.datetime64, step: np.timedelta64, grid: Grid) -> Floats:
    """Mean radiation at the top of the atmosphere over a step, W m-2, shape (latitude, longitude).

    The closed-form integral over hour angle h of S max(0, sin(lat) sin(dec) + cos(lat) cos(dec) cos(h))
    (Liou 2002, eq. 2.2.1), with the declination and distance of the sun at the middle of the step
    (Astronomical Almanac's low-precision formulas, 0.01 degrees).
    """
    days, length = _days_since_j2000(start), float(step / np.timedelta64(1, "D"))
    declination, distance, equation_of_time = _sun(days + length / 2)
    since_midnight = (days + 0.5) % 1.0
    width = 2 * np.pi * length
    east = np.deg2rad(np.asarray(grid.longitude))
    begin = 2 * np.pi * since_midnight - np.pi + equation_of_time + east
    latitude = np.deg2rad(np.asarray(grid.latitude))[:, None]
    integral = _integrated_cosine(latitude, declination, begin + width) - _integrated_cosine(
        latitude, declination, begin
    )
    return np.asarray(SOLAR_CONSTANT / distance**2 * integral / width)


def _integrated_cosine(latitude: Floats, declination: float, hour_angle: Floats) -> Floats:
    """The integral of max(0, cos zenith) from hour angle 0 to ``hour_angle``: whole days plus the remainder."""
    a = np.sin(latitude) * np.sin(declination)
    b = np.cos(latitude) * np.cos(declination)
    sunset = np.arccos(np.clip(-a / np.maximum(b, 1e-12), -1.0, 1.0))
    turns = np.round(hour_angle / (2 * np.pi))
    remainder = hour_angle - 2 * np.pi * turns
    lit = np.clip(remainder, -sunset, sunset)
    whole_day = 2 * (a * sunset + b * np.sin(sunset))
    return np.asarray(turns * whole_day + a * lit + b * np.sin(lit))


def _sun(days: float) -> tuple[float, float, float]:
    """Declination (radians), distance (astronomical units) and equation of time (radians) at days since J2000."""
    anomaly = np.deg2rad(357.528 + 0.9856003 * days)
    mean_longitude = np.deg2rad(280.460 + 0.9856474 * days)
    longitude = mean_longitude + np.deg2rad(1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.deg2rad(23.439 - 4e-7 * days)
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    equation_of_time = (mean_longitude - ascension + np.pi) % (2 * np.pi) - np.pi
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return float(declination), float(distance), float(equation_of_time)


def _days_since_j2000(time: np.datetime64) -> float:
    return float((time.astype("datetime64[ns]") - _J2000) / np.timedelta64(1, "D"))
