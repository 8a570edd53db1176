"""Which units values look like: the global mean of a field says it, whatever the season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.units import conversions
from data_pipeline.variables import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipeline.channels import Channel

Range = tuple[float, float]

_TYPICAL_MEAN: dict[str, Range] = {
    "temperature": (160.0, 330.0),
    "2m_temperature": (230.0, 320.0),
    "2m_dewpoint_temperature": (220.0, 310.0),
    "sea_surface_temperature": (265.0, 312.0),
    "mean_sea_level_pressure": (9.5e4, 1.06e5),
    "surface_pressure": (8e4, 1.06e5),
    "total_column_water_vapour": (2.0, 80.0),
    "total_precipitation": (1e-5, 0.03),
    "geopotential_at_surface": (800.0, 1.2e4),
    **dict.fromkeys(("land_sea_mask", "lake_cover", "sea_ice_cover", "total_cloud_cover"), (0.0, 1.0)),
    "boundary_layer_height": (50.0, 3000.0),
}
"""Area means over the globe in canonical units, with room for other climates but not for other units."""

_MOIST, _LOWEST_CLEAR = 500, 850
"""hPa: humidity has a lower bound below the first; geopotential heights are too near zero below the second."""


def standard_height(pressure_hpa: float) -> float:
    """Height in m of a pressure in the ICAO standard atmosphere (ICAO Doc 7488): 6.5 K/km, isothermal above 11 km.

    >>> round(standard_height(500)), round(standard_height(1013.25))
    (5574, 0)
    """
    tropopause, above = 226.32, 6341.62
    if pressure_hpa > tropopause:
        return float(44330.77 * (1.0 - (pressure_hpa / 1013.25) ** 0.190263))
    return float(11000.0 + above * np.log(tropopause / pressure_hpa))


def typical_mean(channel: Channel) -> Range | None:
    """Bounds of the global mean in canonical units, or none where it says nothing about units."""
    on_level = _TYPICAL_ON_LEVEL.get(channel.variable_name)
    if channel.level is not None and on_level is not None:
        return on_level(channel.level)
    return _TYPICAL_MEAN.get(channel.variable_name)


def _typical_geopotential(level: int) -> Range | None:
    height = GRAVITY * standard_height(level)
    return (0.5 * height, 1.6 * height) if level <= _LOWEST_CLEAR else None


def _typical_specific_humidity(level: int) -> Range:
    return 2e-5 if level >= _MOIST else 0.0, max(1e-4, 0.03 * (level / 1000) ** 3)


def _typical_relative_humidity(level: int) -> Range | None:
    return (8.0, 115.0) if level >= _MOIST else None


_TYPICAL_ON_LEVEL: dict[str, Callable[[int], Range | None]] = {
    "geopotential": _typical_geopotential,
    "specific_humidity": _typical_specific_humidity,
    "relative_humidity": _typical_relative_humidity,
}


def contradiction(mean: float, channel: Channel) -> str:
    """Why a global mean in canonical units cannot be in them, if other units explain it; empty otherwise.

    >>> from data_pipeline.channels import Channel
    >>> contradiction(1013.0, Channel("mean_sea_level_pressure"))
    'values average 1013, which looks like hPa, not Pa'
    >>> contradiction(560.0, Channel("2m_temperature"))
    'values average 560, as if they had been in K although labelled degC'
    """
    typical = typical_mean(channel)
    if typical is None or _within(mean, typical):
        return ""
    units = channel.variable.units
    for other, how in conversions(channel.variable).items():
        if _within(how.scale * mean + how.offset, typical):
            return f"values average {mean:g}, which looks like {other}, not {units}"
        if _within(how.inverse.scale * mean + how.inverse.offset, typical):
            return f"values average {mean:g}, as if they had been in {units} although labelled {other}"
    return ""


def _within(value: float, bounds: Range) -> bool:
    return bounds[0] <= value <= bounds[1]
