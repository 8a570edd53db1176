"""What is known of the future: the sun and the clock. And what never changes: where a point lies, orography, land."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.sun import SOLAR_CONSTANT, days_since_j2000, mean_solar_radiation, toa_incident_solar_radiation
from data_pipeline.times import DAYS_OF_A_YEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

FORCING_NAMES = ("solar_radiation", "cos_year", "sin_year")
FORCING_MIRROR_SIGNS = (1, -1, -1)
"""North and south exchanged, the sun stands over the other hemisphere and the year is half a year on."""

POSITION_NAMES = ("sin_latitude", "cos_latitude", "sin_longitude", "cos_longitude")

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Forcing:
    """A forcing of order one: ``of(time, step, grid)`` is that of the step that ends at ``time``.

    Its shape is (latitude, longitude). ``mirror_sign`` is -1 where it changes sign when north and south are exchanged.
    """

    of: Callable[[np.datetime64, np.timedelta64, Grid], Floats]
    mirror_sign: int = 1


def forcings(
    time: np.datetime64, step: np.timedelta64, grid: Grid, names: Sequence[str] = FORCING_NAMES
) -> NDArray[np.float32]:
    """Forcings of the step that ends at ``time``: shape (name, latitude, longitude), each of order one.

    Solar radiation is the mean over the step, over 340 W m-2.

    Raises
    ------
    DataError
        If a name is not in FORCINGS.
    """
    return np.stack([_forcing(name).of(time, step, grid) for name in names]).astype(np.float32)


def mirror_signs(names: Sequence[str]) -> tuple[int, ...]:
    """Signs of the forcings when north and south are exchanged; a DataError if a name is not in FORCINGS.

    >>> mirror_signs(["solar_radiation", "sin_latitude", "cos_day"])
    (1, -1, 1)
    """
    return tuple(_forcing(name).mirror_sign for name in names)


def clock_names(step: np.timedelta64) -> tuple[str, ...]:
    """The clocks that tell something at steps of this length: of the year, and of the day unless steps are whole days.

    >>> clock_names(np.timedelta64(6, "h")), clock_names(np.timedelta64(24, "h"))
    (('cos_year', 'sin_year', 'cos_day', 'sin_day'), ('cos_year', 'sin_year'))
    """
    return (
        ("cos_year", "sin_year") if step % _DAY == np.timedelta64(0) else ("cos_year", "sin_year", "cos_day", "sin_day")
    )


def clock_features(time: np.datetime64, step: np.timedelta64, grid: Grid) -> NDArray[np.float32]:
    """Progress of the year and of the local mean solar day at ``time``, as ``clock_names(step)`` lists them."""
    return forcings(time, step, grid, clock_names(step))


def position_features(grid: Grid) -> NDArray[np.float32]:
    """Sine and cosine of latitude and longitude, as POSITION_NAMES lists them: (4, latitude, longitude)."""
    never = np.datetime64("2000-01-01", "ns")
    return forcings(never, _DAY, grid, POSITION_NAMES)


def surface_features(values: NDArray[np.floating], grid: Grid) -> NDArray[np.float32]:
    """Orography, land-sea mask and the like, (field, latitude, longitude), scaled to area mean 0 and variance 1.

    A field without any variance becomes 0 to rounding.
    """
    weights = np.broadcast_to(grid.area_weights()[:, None], grid.shape)
    scaled = np.zeros((len(values), *grid.shape), dtype=np.float32)
    for field, out in zip(values.astype(np.float64), scaled, strict=True):
        centred = field - np.average(field, weights=weights)
        std = np.sqrt(np.average(centred**2, weights=weights))
        out[:] = centred / max(std, 1e-9)
    return scaled


def _solar(time: np.datetime64, step: np.timedelta64, grid: Grid) -> Floats:
    return mean_solar_radiation(time - step, step, grid) / (SOLAR_CONSTANT / 4)


def _moving_solar(time: np.datetime64, step: np.timedelta64, grid: Grid) -> Floats:
    seconds = step / np.timedelta64(1, "s")
    return np.asarray(toa_incident_solar_radiation(time, step, grid) / seconds / (SOLAR_CONSTANT / 4))


def _year(wave: Callable[[float], float]) -> Forcing:
    """Of the tropical year's phase, counted from J2000."""
    return Forcing(
        lambda time, _, grid: wave(2 * np.pi * days_since_j2000(time) / DAYS_OF_A_YEAR) * np.ones(grid.shape),
        mirror_sign=-1,
    )


def _day(wave: Callable[[Floats], Floats]) -> Forcing:
    """Of the local mean solar day's phase, counted from midnight."""

    def of(time: np.datetime64, _: np.timedelta64, grid: Grid) -> Floats:
        midnights = (days_since_j2000(time) + 0.5) % 1.0 + np.asarray(grid.longitude) / 360
        return wave(2 * np.pi * midnights) * np.ones(grid.shape)

    return Forcing(of)


def _latitude(wave: Callable[[Floats], Floats], mirror_sign: int) -> Forcing:
    return Forcing(
        lambda _, __, grid: wave(np.deg2rad(np.asarray(grid.latitude)))[:, None] * np.ones(grid.shape), mirror_sign
    )


def _longitude(wave: Callable[[Floats], Floats]) -> Forcing:
    return Forcing(lambda _, __, grid: wave(np.deg2rad(np.asarray(grid.longitude))) * np.ones(grid.shape))


FORCINGS: dict[str, Forcing] = {
    "solar_radiation": Forcing(_solar),
    "toa_incident_solar_radiation": Forcing(_moving_solar),
    "cos_year": _year(np.cos), "sin_year": _year(np.sin),
    "cos_day": _day(np.cos), "sin_day": _day(np.sin),
    "sin_latitude": _latitude(np.sin, -1), "cos_latitude": _latitude(np.cos, 1),
    "sin_longitude": _longitude(np.sin), "cos_longitude": _longitude(np.cos),
}  # fmt: skip
"""Every forcing by its name. ``toa_incident_solar_radiation`` is ``solar_radiation`` under a sun that moves within
the step."""


def _forcing(name: str) -> Forcing:
    if name not in FORCINGS:
        raise DataError(f"unknown forcing {name!r}; expected one of: {', '.join(FORCINGS)}")
    return FORCINGS[name]
