"""A small planet in closed form: smooth, moving, plausible fields on any grid and period, the same on every grid.

``mock_states(grid, times, variables)`` gives canonical datasets to train on, forecast from and score against, without
any file. A field is a zonal mean plus a few planetary waves that travel east; every value is inside the variable's
valid range.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channels
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]

VARIABLES: dict[str, Sequence[int] | None] = {
    "geopotential": (500,),
    "temperature": (500, 850),
    "2m_temperature": None,
    "mean_sea_level_pressure": None,
}
"""What ``mock_states`` holds unless told otherwise."""

_EQUATOR_POLE_WAVE: dict[str, tuple[float, float, float]] = {
    "geopotential": (1000.0, -3000.0, 800.0),
    "temperature": (12.0, -25.0, 4.0),
    "u_component_of_wind": (2.0, 12.0, 8.0),
    "v_component_of_wind": (0.0, 0.5, 8.0),
    "specific_humidity": (6e-3, -4e-3, 8e-4),
    "vorticity": (0.0, 0.0, 3e-5),
    "divergence": (0.0, 0.0, 2e-5),
    "vertical_velocity": (0.0, 0.05, 0.3),
    "relative_humidity": (60.0, 5.0, 25.0),
    "2m_temperature": (300.0, -45.0, 5.0),
    "mean_sea_level_pressure": (101000.0, 300.0, 900.0),
    "surface_pressure": (98500.0, 300.0, 900.0),
    "10m_u_component_of_wind": (-2.0, 6.0, 4.0),
    "10m_v_component_of_wind": (0.0, 0.5, 4.0),
    "2m_dewpoint_temperature": (294.0, -45.0, 5.0),
    "100m_u_component_of_wind": (-3.0, 8.0, 6.0),
    "100m_v_component_of_wind": (0.0, 0.5, 6.0),
    "sea_surface_temperature": (301.0, -28.0, 2.0),
    "total_precipitation": (3e-3, -1e-3, 1e-3),
    "sea_ice_cover": (0.3, 0.3, 0.2),
    "total_column_water_vapour": (45.0, -38.0, 6.0),
    "total_cloud_cover": (0.5, 0.1, 0.2),
    "boundary_layer_height": (700.0, -300.0, 200.0),
    "snow_depth": (0.5, 0.3, 0.3),
    "toa_incident_solar_radiation": (1.5e6, -7e5, 3e5),
    "standard_deviation_of_orography": (60.0, 20.0, 40.0),
    "lake_cover": (0.5, 0.0, 0.45),
    "geopotential_at_surface": (4000.0, 500.0, 3000.0),
    "land_sea_mask": (0.5, 0.0, 0.45),
}
"""The field on the equator, what the way to the pole adds, and the amplitude of the waves, in the table's units."""

_CDS_NAMES = {"geopotential": "z", "mean_sea_level_pressure": "msl"}

_YEAR = np.timedelta64(31556926, "s")
_WAVES = ((1, 12.0), (2, 8.0), (3, 5.0))
"""Zonal wavenumber, and days in which the wave goes round once."""


def mock_times(start: str, count: int, hours: int = 6) -> Times:
    """``count`` times from ``start``, ``hours`` apart."""
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(hours, "h")


def mock_states(
    grid: Grid, times: Times, variables: Mapping[str, Sequence[int] | None] = VARIABLES, *, seed: int = 0
) -> xr.Dataset:
    """A canonical dataset of ``{variable: levels, or None}`` at ``times``; another ``seed``, other weather.

    >>> from data_pipeline.grid import Grid
    >>> world = mock_states(Grid.gaussian(8, 16), mock_times("2000-01-01", 3))
    >>> dict(world.sizes)
    {'time': 3, 'latitude': 8, 'longitude': 16, 'level': 2}
    """
    channels = Channels.of(variables)
    fields = [_states(grid, times, channel.variable_name, channel.level, seed) for channel in channels]
    coords = {"time": times, "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    stacked = np.stack(fields, axis=1).astype(np.float32)
    return channels.unstack(stacked, coords, ("time", "channel", "latitude", "longitude"))


def mock_static(grid: Grid, names: Sequence[str] = ("geopotential_at_surface", "land_sea_mask")) -> xr.Dataset:
    """Canonical fields that never change, with dims (latitude, longitude)."""
    now = np.array(["2000-01-01"], dtype="datetime64[ns]")
    return mock_states(grid, now, dict.fromkeys(names)).isel(time=0, drop=True)


def climate_data_store_layout(dataset: xr.Dataset) -> xr.Dataset:
    """The same data as the Climate Data Store labels them: short names, ``valid_time``, ``pressure_level``, ``**``."""
    names = {str(name): _CDS_NAMES.get(str(name), variable(str(name)).short_names[-1]) for name in dataset.data_vars}
    names |= {"time": "valid_time", "level": "pressure_level"}
    renamed = dataset.rename({old: new for old, new in names.items() if old in dataset.variables})
    for field in renamed.data_vars.values():
        field.attrs = {"units": re.sub(r"(?<=[a-z])(-?\d)", r"**\1", field.attrs["units"])}
    return renamed.assign_coords(number=0, expver=("valid_time", np.full(renamed.sizes["valid_time"], "0001")))


def _states(grid: Grid, times: Times, name: str, level: int | None, seed: int) -> Floats:
    """[time, latitude, longitude]"""
    equator, pole, wave = _EQUATOR_POLE_WAVE[name]
    latitude = np.deg2rad(np.asarray(grid.latitude))[:, None]
    longitude = np.deg2rad(np.asarray(grid.longitude))
    mean = equator + _column(name, level) + pole * np.sin(latitude) ** 2
    depth = np.log(1000.0 / (level or 1000))
    phases = np.random.default_rng([seed, sum(name.encode())]).uniform(0, 2 * np.pi, len(_WAVES))
    days = (times - np.datetime64("2000-01-01", "ns")) / np.timedelta64(1, "D")
    weather = np.zeros((len(times), *grid.shape))
    if variable(name).role == "static":
        days = np.zeros_like(days)
    for (number, period), phase in zip(_WAVES, phases, strict=True):
        angle = number * (longitude - 2 * np.pi * days[:, None, None] / period) + phase - depth
        weather += np.cos(angle) * np.cos(latitude) ** number * np.sin(2 * latitude + phase) / len(_WAVES)
    season = np.cos(2 * np.pi * (days * np.timedelta64(1, "D") / _YEAR))[:, None, None] * np.sin(latitude) / 2
    weather = weather - season * (variable(name).role == "prognostic")
    return np.asarray((mean + wave * weather) * _dryness(name, level))


def _column(name: str, level: int | None) -> float:
    """What a level's height adds to the thousand-hectopascal field: isothermal heights, a lapse rate, the jet."""
    depth = np.log(1000.0 / (level or 1000))
    aloft = {
        "geopotential": 287.0 * 255.0 * depth, "temperature": 275.0 + max(-45.0 * depth, -65.0),
        "u_component_of_wind": 6.0 * min(depth, 1.5),
    }  # fmt: skip
    return float(aloft.get(name, 0.0))


def _dryness(name: str, level: int | None) -> float:
    """Air dries with the cube of pressure."""
    return ((level or 1000) / 1000) ** 3 if name == "specific_humidity" else 1.0
