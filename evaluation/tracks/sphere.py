"""Distances, directions and means on the sphere; all places in degrees, right across the date line and the poles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.sphere import EARTH_RADIUS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

KM_PER_DEGREE = EARTH_RADIUS / 1e3 * np.pi / 180
"""Of a great circle."""


def unit_vectors(latitude: ArrayLike, longitude: ArrayLike) -> Floats:
    """Places (...) as vectors (..., 3) of length 1 from the centre of the Earth.

    >>> unit_vectors(0.0, 180.0).round(6).tolist()
    [-1.0, 0.0, 0.0]
    """
    phi, lam = np.deg2rad(np.asarray(latitude, np.float64)), np.deg2rad(np.asarray(longitude, np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi) + 0 * lam], axis=-1)


def places(vectors: Floats) -> tuple[Floats, Floats]:
    """Latitude and longitude, 0..360, in degrees, of vectors (..., 3) of any length.

    >>> [float(degrees) for degrees in places(np.array([0.0, -2.0, 0.0]))]
    [0.0, 270.0]
    """
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x)) % 360


def angles(first: Floats, second: Floats) -> Floats:
    """Great-circle angles in degrees between unit vectors (..., 3); exact for small ones and for antipodes.

    The angle is 2 atan2(|a - b|, |a + b|); the arc cosine of a product would lose everything below a kilometre.
    """
    apart, sum_ = np.linalg.norm(first - second, axis=-1), np.linalg.norm(first + second, axis=-1)
    return np.asarray(np.rad2deg(2 * np.arctan2(apart, sum_)))


def distance(
    latitude: ArrayLike, longitude: ArrayLike, other_latitude: ArrayLike, other_longitude: ArrayLike
) -> Floats:
    """Great-circle distance in degrees.

    >>> float(distance(0.0, 179.0, 0.0, -179.0).round(9))
    2.0
    """
    return angles(unit_vectors(latitude, longitude), unit_vectors(other_latitude, other_longitude))


def bearing(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Direction of the great circle from a place to another, in degrees clockwise from north, 0..360.

    >>> bearing(0.0, 359.0, 0.0, 1.0)
    90.0
    """
    phi, to_phi, east = np.deg2rad([latitude, to_latitude, to_longitude - longitude])
    across = np.sin(east) * np.cos(to_phi)
    ahead = np.cos(phi) * np.sin(to_phi) - np.sin(phi) * np.cos(to_phi) * np.cos(east)
    return float(np.rad2deg(np.arctan2(across, ahead)) % 360)


def destination(latitude: float, longitude: float, direction: float, degrees: float) -> tuple[float, float]:
    """The place ``degrees`` along the great circle that leaves in a ``direction`` (degrees clockwise from north).

    >>> tuple(round(value, 6) for value in destination(80.0, 10.0, 0.0, 20.0))
    (80.0, 190.0)
    """
    vector, north, east = _frame(latitude, longitude)
    way, turn = np.deg2rad([degrees, direction])
    found = np.cos(way) * vector + np.sin(way) * (np.cos(turn) * north + np.sin(turn) * east)
    to_latitude, to_longitude = places(found)
    return float(to_latitude), float(to_longitude)


def tangent_plane(latitude: float, longitude: float, vectors: Floats) -> tuple[Floats, Floats]:
    """East and north of a place, in degrees, of unit vectors (..., 3) near it: azimuthal equidistant projection."""
    vector, north, east = _frame(latitude, longitude)
    x, y = vectors @ east, vectors @ north
    length = np.hypot(x, y)
    scale = np.divide(angles(vectors, vector), length, out=np.zeros_like(length), where=length > 0)
    return x * scale, y * scale


def _frame(latitude: float, longitude: float) -> tuple[Floats, Floats, Floats]:
    """Unit vectors upward, northward and eastward; at a pole, those of the meridian that is named."""
    vector = unit_vectors(latitude, longitude)
    lam = np.deg2rad(longitude)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    return vector, np.cross(vector, east), east


def extrapolate(before: Floats, last: Floats, ratio: float) -> Floats:
    """The unit vector that follows ``before`` and ``last`` on their great circle, ``ratio`` times as far on.

    >>> degrees = places(extrapolate(unit_vectors(0.0, 358.0), unit_vectors(0.0, 0.0), 0.5))[1]
    >>> float(degrees.round(9))
    1.0
    """
    angle = np.deg2rad(angles(before, last))
    if angle < 1e-12:
        return last
    ahead = (last * np.cos(angle) - before) / np.sin(angle)
    return np.asarray(np.cos(ratio * angle) * last + np.sin(ratio * angle) * ahead)


def along_and_cross(motion: float, direction: float, degrees: float) -> tuple[float, float]:
    """A distance (degrees) in a direction, split along a motion (ahead positive) and across it (right positive).

    With the angle ``t`` between direction and motion: ``sin cross = sin d sin t``, ``tan along = tan d cos t``
    (right spherical triangle).

    >>> tuple(round(part, 6) for part in along_and_cross(90.0, 180.0, 2.0))
    (0.0, 2.0)
    """
    way, turn = np.deg2rad([degrees, direction - motion])
    cross = np.arcsin(np.clip(np.sin(way) * np.sin(turn), -1, 1))
    along = np.arctan2(np.sin(way) * np.cos(turn), np.cos(way))
    return float(np.rad2deg(along)), float(np.rad2deg(cross))
