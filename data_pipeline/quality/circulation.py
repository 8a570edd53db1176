"""What tells the hemispheres apart in any weather: belts of pressure and wind, storms, seasons.

Every threshold lies beyond what single states of ERA5 (three winters' months) and 13 years of a simulated planet show
with right labels, and short of what they show with wrong ones; between the two nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.quality.geography import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from data_pipeline.grid import Grid

    Fields = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]

_TROUGH = (58.0, 70.0)
_MIDDLE = (30.0, 60.0)
_STORMS = (40.0, 60.0)
_CAP = (75.0, 90.0)
_TROPICS, _SUBPOLAR = (0.0, 20.0), (58.0, 80.0)
_EXTRATROPICS = (20.0, 80.0)
_LOWEST_TROUGH_HPA = 700
_WINTER, _SUMMER, _HALF_YEAR = (12, 1, 2), (6, 7, 8), (5, 6, 7, 8, 9, 10)
_TROUGH_PA, _TROUGH_GEOPOTENTIAL = -1000.0, -1000.0
_WARMTH_K, _MOISTURE, _WESTERLY, _CAP_PA, _SKEWNESS, _KURTOSIS = -4.0, -0.15, -3.0, -1e4, 0.4, 6.5

_POLEWARD_K, _DEEP, _DEEP_ALOFT = 15.0, 500.0, 3000.0
"""K, Pa or m2 s-2, m2 s-2 by which the tropics exceed the subpolar belts wherever there is weather like the Earth's."""


def hemispheres_exchanged(channel: Channel, times: Times, fields: Fields, grid: Grid) -> Verdict | None:
    """Whether a channel's states (time, latitude, longitude) look as if north and south were exchanged."""
    test = _TESTS.get(channel.variable_name)
    seen = test(channel, _months(times), fields.astype(np.float64), grid) if test else ""
    if not seen:
        return None
    return Verdict(
        "latitude-against-labels", f"north and south look exchanged: {seen}; correct the coordinates or data"
    )


def _trough(channel: Channel, months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """Pressure and height are lower in the circumpolar trough of the south than at the same latitude in the north.

    Aloft only from May to October: in the northern winter the north is as low.
    """
    aloft = channel.level is not None and channel.level <= _LOWEST_TROUGH_HPA
    if aloft:
        fields = fields[np.isin(months, _HALF_YEAR)]
    if _tropics_less_subpolar(fields, grid) < (_DEEP_ALOFT if aloft else _DEEP):
        return ""
    limit = _TROUGH_PA if channel.level is None else _TROUGH_GEOPOTENTIAL
    north, south = _band_means(fields, grid, _TROUGH)
    return _below(north - south, limit, channel, f"between {_TROUGH[0]:g} and {_TROUGH[1]:g} degrees")


def _warmth(channel: Channel, months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """The hemisphere that has winter is colder."""
    if _tropics_less_subpolar(fields, grid) < _POLEWARD_K:
        return ""
    north, south = _band_means(fields, grid, _MIDDLE)
    return _below((north - south) * _season(months), _WARMTH_K, channel, "in its summer less in its winter hemisphere")


def _moisture(channel: Channel, months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """The hemisphere that has winter is drier; as a share of both."""
    if _tropics_less_subpolar(fields, grid) < fields.mean():
        return ""
    north, south = _band_means(fields, grid, _MIDDLE)
    contrast = (north - south) / (north + south) * _season(months)
    return _below(contrast, _MOISTURE, channel, "share of both, in its summer less in its winter hemisphere")


def _westerlies(channel: Channel, months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """In the northern summer half-year the westerlies of the south are more than twice as strong."""
    if channel.level is not None and channel.level < _LOWEST_TROUGH_HPA:
        return ""
    fields = fields[np.isin(months, _HALF_YEAR)]
    north, south = _band_means(fields, grid, _STORMS)
    trades = np.mean(_band_means(fields, grid, _TROPICS)) if len(fields) else np.inf
    if not trades < 0 or south.mean() > north.mean() / 2:
        return ""
    return _below(south - north, _WESTERLY, channel, "in the south less in the north")


def _ice_cap(channel: Channel, _months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """The south pole stands on a plateau of ice, the north pole on the sea."""
    north, south = _band_means(fields, grid, _CAP)
    return _below(north - south, _CAP_PA, channel, f"beyond {_CAP[0]:g} degrees")


def _storms(channel: Channel, _months: NDArray[np.int64], fields: Floats, grid: Grid) -> str:
    """Cyclones are smaller and stronger than anticyclones: vorticity is skewed to their sign, + in the north.

    Only where the field has storms: its kurtosis in ERA5 is 7 to 65, that of smooth waves about 3.
    """
    (north, peaked_north), (south, peaked_south) = (_shape(fields, grid, sign) for sign in (1, -1))
    if north < -_SKEWNESS and south > _SKEWNESS and min(peaked_north, peaked_south) > _KURTOSIS:
        return f"the skewness of vorticity is {north:.2f} in the north and {south:.2f} in the south"
    return ""


_TESTS: dict[str, Callable[[Channel, NDArray[np.int64], Floats, Grid], str]] = {
    "mean_sea_level_pressure": _trough,
    "geopotential": _trough,
    "temperature": _warmth,
    "2m_temperature": _warmth,
    "2m_dewpoint_temperature": _warmth,
    "specific_humidity": _moisture,
    "total_column_water_vapour": _moisture,
    "u_component_of_wind": _westerlies,
    "surface_pressure": _ice_cap,
    "vorticity": _storms,
}


def _below(contrast: Floats, limit: float, channel: Channel, where: str) -> str:
    """In words, if the mean of the finite contrasts is below the limit; empty otherwise."""
    known = contrast[np.isfinite(contrast)]
    if not known.size or known.mean() >= limit:
        return ""
    units = channel.variable.units
    return f"the contrast of {channel.name} is {known.mean():.3g} {units} ({where}), expected it positive"


def _tropics_less_subpolar(fields: Floats, grid: Grid) -> float:
    """Mean contrast over both hemispheres: what has none is no planet whose hemispheres could be told apart."""
    if not len(fields):
        return -np.inf
    tropics, subpolar = (np.mean(_band_means(fields, grid, band)) for band in (_TROPICS, _SUBPOLAR))
    return float(tropics - subpolar)


def _season(months: NDArray[np.int64]) -> Floats:
    """1 in the northern summer, -1 in the northern winter, NaN between."""
    return np.where(np.isin(months, _SUMMER), 1.0, np.where(np.isin(months, _WINTER), -1.0, np.nan))


def _months(times: Times) -> NDArray[np.int64]:
    return np.asarray(times.astype("datetime64[M]").astype(np.int64) % 12 + 1)


def _band_means(fields: Floats, grid: Grid, band: tuple[float, float]) -> tuple[Floats, Floats]:
    """Area means of each state between two latitudes of the north, and of the south."""
    latitude = np.asarray(grid.latitude)
    weights = grid.area_weights()
    zonal = fields.mean(axis=-1)
    north, south = (_rows(sign * latitude, band) for sign in (1, -1))
    if not north.any() or not south.any():
        return np.full(len(fields), np.nan), np.full(len(fields), np.nan)
    north_mean, south_mean = (zonal[:, rows] @ weights[rows] / weights[rows].sum() for rows in (north, south))
    return north_mean, south_mean


def _shape(fields: Floats, grid: Grid, sign: int) -> tuple[float, float]:
    """Area-weighted skewness and kurtosis in the extratropics of one hemisphere, mean over the states."""
    rows = _rows(sign * np.asarray(grid.latitude), _EXTRATROPICS)
    weights = grid.area_weights()[rows]
    weights = np.repeat(weights[:, None], grid.shape[1], axis=1) / (weights.sum() * grid.shape[1])
    inside = fields[:, rows]
    departure = inside - (inside * weights).sum(axis=(1, 2), keepdims=True)
    second, third, fourth = ((departure**power * weights).sum(axis=(1, 2)) for power in (2, 3, 4))
    second = np.maximum(second, np.finfo(float).tiny)
    return float(np.mean(third / second**1.5)), float(np.mean(fourth / second**2))


def _rows(latitude: Floats, band: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((latitude >= band[0]) & (latitude <= band[1]))
