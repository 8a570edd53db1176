"""Where one comes to on the sphere: the direct problem, along a great circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def destination(
    longitude: ArrayLike, latitude: ArrayLike, bearing: ArrayLike, distance: ArrayLike
) -> tuple[Floats, Floats]:
    """Longitude and latitude after ``distance`` from a point at ``bearing`` clockwise from north, all in degrees.

    By vectors from the centre of the Earth, so that it is exact on a pole too, where bearings count from the direction
    that is north on the meridian ``longitude`` just before it.

    >>> [round(float(part), 6) for part in destination(10.0, 0.0, 90.0, 30.0)]
    [40.0, 0.0]
    """
    lam, phi, azimuth, far = (np.deg2rad(part) for part in (longitude, latitude, bearing, distance))
    ahead, aside = np.sin(far) * np.cos(azimuth), np.sin(far) * np.sin(azimuth)
    outward = np.cos(far) * np.cos(phi) - ahead * np.sin(phi)
    x = outward * np.cos(lam) - aside * np.sin(lam)
    y = outward * np.sin(lam) + aside * np.cos(lam)
    z = np.cos(far) * np.sin(phi) + ahead * np.cos(phi)
    return np.asarray(np.rad2deg(np.arctan2(y, x))), np.asarray(np.rad2deg(np.arctan2(z, np.hypot(x, y))))
