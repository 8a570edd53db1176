"""Vorticity, divergence and gradients on the sphere by centred differences, right at the poles and the date line.

Components of wind and what is found of them have dims (..., latitude, longitude), rows north to south. Differences are
of second order, of first order in the rows next to a pole. Across a pole a meridian goes on half way round the globe: a
scalar is as it is there, and the components of a vector change their sign, because the unit vectors turn round. A row
on a pole has no direction of its own: vorticity and divergence there are those of the cap up to the next row, by the
theorems of Stokes and Gauss. A grid that ends elsewhere has no value on its edges (NaN).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Field = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]

EARTH_RADIUS = 6.371e6
"""Metres: of the sphere with the volume of the Earth."""
EARTH_ROTATION = 7.292e-5
"""Radians per second."""
GEOSTROPHIC_FROM = 20.0
"""Degrees from the equator within which there is no geostrophic wind."""
_ON_POLE = 1e-3
"""Degrees from the pole within which a row is on it."""


def vorticity(u: Field, v: Field, grid: Grid) -> Floats:
    """``(dv/dlon - d(u cos lat)/dlat) / (a cos lat)`` in s-1 of winds in m s-1.

    Holton and Hakim 2013, An Introduction to Dynamic Meteorology, chapter 4.

    Raises
    ------
    ScoreError
        If the grid reaches a pole and has an odd number of longitudes, so that no point lies beyond the pole.

    >>> from data_pipeline.grid import Grid
    >>> grid = Grid.equiangular(5, 4, poles=True)  # air that turns with the Earth has twice its rotation at the pole
    >>> u = EARTH_ROTATION * EARTH_RADIUS * np.cos(np.deg2rad(grid.latitude))[:, None] * np.ones(4)
    >>> bool(vorticity(u, 0 * u, grid)[2, 0] == 0)
    True
    """
    return _curl(u, v, grid)


def divergence(u: Field, v: Field, grid: Grid) -> Floats:
    """``(du/dlon + d(v cos lat)/dlat) / (a cos lat)`` in s-1 of winds in m s-1; as ``vorticity``.

    It is the vorticity of the wind turned by a right angle to the left, (-v, u).
    """
    return _curl(-np.asarray(v), u, grid)


def gradient(scalar: Field, grid: Grid) -> tuple[Floats, Floats]:
    """Eastward and northward derivative per metre; NaN on a pole, where there is no east. Raises as ``vorticity``."""
    eastward = _along_longitude(scalar, grid) / (EARTH_RADIUS * _cosines(grid))
    northward = _along_latitude(scalar, grid) / EARTH_RADIUS
    northward[..., np.isnan(_cosines(grid)[:, 0]), :] = np.nan
    return eastward, northward


def geostrophic_wind(geopotential: Field, grid: Grid) -> tuple[Floats, Floats]:
    """``u = -(dPhi/dy) / f, v = (dPhi/dx) / f`` in m s-1 of geopotential in m2 s-2, ``f = 2 Omega sin lat``.

    Holton and Hakim 2013, An Introduction to Dynamic Meteorology, chapter 2. NaN within 20 degrees of the equator and
    on a pole. Raises as ``vorticity``.
    """
    latitude = _radians(grid)[:, None]
    outside = np.abs(latitude) >= np.deg2rad(GEOSTROPHIC_FROM) - 1e-9
    parameter = np.where(outside, 2 * EARTH_ROTATION * np.sin(latitude), np.nan)
    eastward, northward = gradient(geopotential, grid)
    return -northward / parameter, eastward / parameter


def _curl(u: Field, v: Field, grid: Grid) -> Floats:
    momentum = np.multiply(u, np.cos(_radians(grid))[:, None], dtype=np.float64)
    found = _along_longitude(v, grid) - _along_latitude(momentum, grid)
    found /= EARTH_RADIUS * _cosines(grid)
    for row, beside, turn in ((0, 1, 1.0), (-1, -2, -1.0)):
        if np.isnan(_cosines(grid)[row, 0]) and grid.is_periodic:
            cap = EARTH_RADIUS * (1 - abs(np.sin(_radians(grid)[beside])))
            found[..., row, :] = turn * momentum[..., beside, :].mean(axis=-1, keepdims=True) / cap
    return found


def _radians(grid: Grid) -> Floats:
    return np.deg2rad(np.asarray(grid.latitude, dtype=np.float64))


def _cosines(grid: Grid) -> Floats:
    """Cosines of latitude (latitude, 1), NaN on a pole."""
    on_pole = np.abs(np.asarray(grid.latitude)) > 90 - _ON_POLE
    return np.where(on_pole, np.nan, np.cos(_radians(grid)))[:, None]


def _along_longitude(field: Field, grid: Grid) -> Floats:
    """Derivative per radian of longitude."""
    longitude = np.deg2rad(np.asarray(grid.longitude, dtype=np.float64))
    beyond = np.array([longitude[-1] - 2 * np.pi, longitude[0] + 2 * np.pi])
    west, east = field[..., -1:], field[..., :1]
    if not grid.is_periodic:
        beyond = np.array([2 * longitude[0] - longitude[1], 2 * longitude[-1] - longitude[-2]])
        west = east = np.full_like(field[..., :1], np.nan)
    places = np.concatenate([beyond[:1], longitude, beyond[1:]])
    return _derivative(np.concatenate([west, field, east], axis=-1), places)


def _along_latitude(field: Field, grid: Grid) -> Floats:
    """Derivative per radian of latitude of a scalar or of a component of a vector times the cosine of latitude.

    Both go on across a pole as they are on the opposite meridian: there the component changes its sign, and so does
    the cosine, the distance from the axis.
    """
    latitude, (north, south) = _radians(grid), grid.latitude_bounds()[[0, -1]]
    above, below = (
        _beyond_edge(field, grid, row, np.isclose(abs(edge), 90)) for row, edge in ((0, north), (-1, south))
    )
    places = np.concatenate([[np.pi - latitude[0]], latitude, [-np.pi - latitude[-1]]])
    extended = np.concatenate([above, field, below], axis=-2)
    return np.swapaxes(_derivative(np.swapaxes(extended, -1, -2), places), -1, -2)


def _beyond_edge(field: Field, grid: Grid, row: int, at_pole: bool) -> Field:
    """The row beyond the first or the last one, (..., 1, longitude)."""
    columns = field.shape[-1]
    if not (at_pole and grid.is_periodic) or np.isnan(_cosines(grid)[row, 0]):
        return np.full_like(field[..., :1, :], np.nan)
    if columns % 2:
        raise ScoreError(
            f"got {columns} longitudes, expected an even number, so that a point lies opposite each across the pole; "
            "regrid first"
        )
    return np.roll(field[..., row, :], columns // 2, axis=-1)[..., None, :]


def _derivative(values: Field, places: Floats) -> Floats:
    """Of values along the last axis at all but the first and the last of ``places``: the parabola through three."""
    before, after = np.diff(places)[:-1], np.diff(places)[1:]
    slopes = np.diff(values.astype(np.float64)) / np.diff(places)
    return np.asarray((slopes[..., 1:] * before + slopes[..., :-1] * after) / (before + after))
