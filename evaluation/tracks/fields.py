"""What centres are found in: the fields of one time, from any canonical dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError, reading
from data_pipeline.grid import Grid
from data_pipeline.times import shown
from data_pipeline.variables import GRAVITY
from evaluation.tracks.settings import has_field
from evaluation.tracks.sphere import EARTH_RADIUS_KM

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.sphere import Floats

PRESSURE = "mean_sea_level_pressure"


@dataclass(frozen=True)
class Fields:
    """Fields (point) of one time, row by row from the north-west; None what is not there.

    Pressure at mean sea level in Pa, wind speed at 10 m in m s-1, relative vorticity at 850 hPa in s-1 (cyclonic
    positive in both hemispheres), thickness in m2 s-2, height of the ground in m.
    """

    time: np.datetime64
    pressure: Floats
    wind: Floats | None = None
    vorticity: Floats | None = None
    thickness: Floats | None = None
    ground: Floats | None = None


def require_fields(dataset: xr.Dataset, ground: xr.DataArray | None, settings: TrackSettings) -> None:
    """Raise a ScoreError unless the pressure is there, and every field that a criterion needs."""
    if PRESSURE not in dataset:
        raise ScoreError(f"tracks need {PRESSURE}; the data have {', '.join(map(str, dataset.data_vars))}")
    _, lacking = settings.without_missing(dataset, ground)
    if lacking:
        needs = settings.needs()
        wanted = sorted(
            {name if level is None else f"{name} at {level} hPa" for own in lacking for name, level in needs[own]}
        )
        raise ScoreError(
            f"{', '.join(lacking)} cannot be asked for, because the data lack {', '.join(wanted)}; give them, or "
            f"set {lacking[0]} to None"
        )


def fields_of(
    states: xr.Dataset, time: np.datetime64, grid: Grid, ground: Floats | None, settings: TrackSettings
) -> Fields:
    """The fields of a dataset of one time and one member, with dims ([level], latitude, longitude).

    Raises
    ------
    ScoreError
        If a value is missing or infinite: a track through it would be an invention.
    """
    return Fields(
        time,
        pressure=_values(states, PRESSURE, None, time),
        wind=_wind(states, time),
        vorticity=None if settings.minimum_vorticity is None else _vorticity(states, time, grid),
        thickness=None if settings.warm_core is None else _thickness(states, time, settings),
        ground=ground,
    )


def ground_of(dataset: xr.Dataset, ground: xr.DataArray | None, grid: Grid) -> Floats | None:
    """Height of the ground (point) in m, from the surface geopotential that is given or in the dataset.

    Raises
    ------
    ScoreError
        If it is on another grid.
    """
    name = "geopotential_at_surface"
    given = ground if ground is not None else dataset.get(name)
    if given is None:
        return None
    if not Grid.of(given).matches(grid):
        raise ScoreError(f"the ground is on a {Grid.of(given)}, expected the {grid}; regrid it")
    moving = [dim for dim in given.dims if dim not in ("latitude", "longitude")]
    return (
        np.asarray(given.isel(dict.fromkeys(moving, 0)).transpose("latitude", "longitude").values, np.float64).ravel()
        / GRAVITY
    )


def _values(states: xr.Dataset, name: str, level: int | None, time: np.datetime64) -> Floats:
    field = states[name] if level is None else states[name].sel(level=level)
    with reading(states.attrs.get("path", states.encoding.get("source", "the data"))):
        values = np.asarray(field.transpose("latitude", "longitude").values, dtype=np.float64).ravel()
    if not np.isfinite(values).all():
        where = "" if level is None else f" at {level} hPa"
        raise ScoreError(
            f"{name}{where} of {shown(time)} has {int((~np.isfinite(values)).sum())} missing or infinite values, "
            "expected a whole field; leave out this time or member"
        )
    return values


def _wind(states: xr.Dataset, time: np.datetime64) -> Floats | None:
    names = ("10m_u_component_of_wind", "10m_v_component_of_wind")
    if not all(name in states for name in names):
        return None
    return np.hypot(*(_values(states, name, None, time) for name in names))


def _thickness(states: xr.Dataset, time: np.datetime64, settings: TrackSettings) -> Floats:
    upper, lower = settings.thickness_levels
    return _values(states, "geopotential", upper, time) - _values(states, "geopotential", lower, time)


def _vorticity(states: xr.Dataset, time: np.datetime64, grid: Grid) -> Floats:
    if has_field(states, "vorticity", 850):
        found = _values(states, "vorticity", 850, time)
    else:
        u, v = (_values(states, f"{axis}_component_of_wind", 850, time).reshape(grid.shape) for axis in "uv")
        found = relative_vorticity(u, v, grid).ravel()
    cyclonic = np.where(np.asarray(grid.latitude) >= 0, 1.0, -1.0)
    return np.asarray(found * np.repeat(cyclonic, grid.shape[1]))


def relative_vorticity(u: Floats, v: Floats, grid: Grid) -> Floats:
    """Relative vorticity (latitude, longitude) in s-1 of winds in m s-1, by central differences.

    ``(dv/dlambda - d(u cos phi)/dphi) / (a cos phi)`` (Holton and Hakim 2013, eq. 4.9 on the sphere). Within half a
    degree of a pole it is the mean of the nearest row beyond, else differences reach across the poles; at the ends of a
    grid that is no globe they are one-sided.

    >>> from data_pipeline.grid import Grid
    >>> grid = Grid.equiangular(90, 180, poles=False)
    >>> u = 10 * np.cos(np.deg2rad(grid.latitude))[:, None] * np.ones(180)  # rotation as a solid body
    >>> exact = 20 / 6.371e6 * np.sin(np.deg2rad(grid.latitude))[:, None]
    >>> bool(np.allclose(relative_vorticity(u, 0 * u, grid), exact, rtol=1e-3))
    True
    """
    phi, lam = np.deg2rad(grid.latitude), np.deg2rad(grid.longitude)
    cosine = np.maximum(np.cos(phi), 1e-12)[:, None]
    if grid.is_periodic:
        wide = np.concatenate([v[:, -1:], v, v[:, :1]], axis=1)
        ends = np.concatenate([[lam[-1] - 2 * np.pi], lam, [lam[0] + 2 * np.pi]])
        eastward = (wide[:, 2:] - wide[:, :-2]) / (ends[2:] - ends[:-2])
    else:
        eastward = np.gradient(v, lam, axis=1)
    polar = np.abs(np.asarray(grid.latitude)) > 89.5
    northward = _northward(u * cosine, phi, across=grid.is_global and not polar.any())
    found = (eastward - northward) / (EARTH_RADIUS_KM * 1e3 * cosine)
    for row in np.flatnonzero(polar):
        beyond = np.flatnonzero(~polar)
        found[row] = found[beyond[np.abs(beyond - row).argmin()]].mean()
    return np.asarray(found)


def _northward(momentum: Floats, phi: Floats, *, across: bool) -> Floats:
    """Derivative of u cos(phi), which goes on smoothly half way round on the other side of a pole."""
    if not across:
        return np.asarray(np.gradient(momentum, phi, axis=0))
    half = momentum.shape[1] // 2
    north, south = np.roll(momentum[:1], half, axis=1), np.roll(momentum[-1:], half, axis=1)
    ends = np.concatenate([[np.pi - phi[0]], phi, [-np.pi - phi[-1]]])
    return np.asarray(np.gradient(np.concatenate([north, momentum, south]), ends, axis=0)[1:-1])
