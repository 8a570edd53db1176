"""Round vortices on a known background, moving as they are told: what tests of tracks find again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.tracks.sphere import distance, unit_vectors
from evaluation.tracks.track import Centre, Track

if TYPE_CHECKING:
    from collections.abc import Sequence

START = np.datetime64("2020-01-01T00", "ns")
HOUR = np.timedelta64(3_600_000_000_000, "ns")
GRID = Grid.equiangular(73, 144, poles=True)

Path = list[tuple[float, float, float]]
"""Latitude, longitude and depth (Pa) at each time; no depth: no vortex."""


def vortex(latitude: float, longitude: float, depth: float, grid: Grid = GRID, width: float = 4.0) -> np.ndarray:
    """Deviation of the pressure, a Gaussian of ``width`` degrees."""
    lat, lon = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    return -depth * np.exp(-((distance(lat, lon, latitude, longitude) / width) ** 2) / 2)


def states(paths: Sequence[Path], grid: Grid = GRID, step: int = 6, width: float = 4.0) -> xr.Dataset:
    """Mean sea level pressure over time with a vortex along each path, lowest background at the equator."""
    count = max(map(len, paths))
    phi = np.deg2rad(grid.latitude)[:, None]
    pressure = np.broadcast_to(101_000 + 500 * np.sin(phi) ** 2, (count, *grid.shape)).copy()
    for path in paths:
        for index, (latitude, longitude, depth) in enumerate(path):
            pressure[index] += vortex(latitude, longitude, depth, grid, width)
    times = START + step * HOUR * np.arange(count)
    return xr.Dataset(
        {"mean_sea_level_pressure": (("time", "latitude", "longitude"), pressure.astype(np.float32), {"units": "Pa"})},
        coords={"time": times, **grid.coordinates},
    )


def forecast(members: Sequence[xr.Dataset]) -> xr.Dataset:
    """A forecast file's layout, from the members' states, of which the first is the initial one and is left out."""
    ahead = xr.concat([own.isel(time=slice(1, None)) for own in members], "realization")
    start = members[0]["time"].values[0]
    hours = (ahead["time"].values - start) / HOUR
    return ahead.assign_coords(
        realization=np.arange(len(members), dtype=np.int32),
        forecast_period=("time", hours, {"units": "hours", "standard_name": "forecast_period"}),
        forecast_reference_time=start,
    )


def straight(latitude: float, longitude: float, east: float, north: float, count: int, depth: float = 3000.0) -> Path:
    """Moves by so many degrees of longitude and latitude a step."""
    return [(latitude + north * step, (longitude + east * step) % 360, depth) for step in range(count)]


def track(
    path: Sequence[tuple[float, float]], name: str = "A", *, pressure: float = 9.8e4, wind: float = 30.0
) -> Track:
    """Centres 6 hours apart."""
    return Track(
        name, tuple(Centre(START + 6 * HOUR * i, lat, lon, pressure, wind) for i, (lat, lon) in enumerate(path))
    )


def great_circle(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Degrees, by the arc cosine: another formula than the product's."""
    product = float(unit_vectors(*one) @ unit_vectors(*other))
    return float(np.rad2deg(np.arccos(np.clip(product, -1, 1))))
