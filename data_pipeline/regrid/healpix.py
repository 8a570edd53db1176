"""HEALPix: pixels of equal area on rings of latitude (Gorski et al. 2005, doi:10.1086/427976).

Pixels are placed on the plane in which every one is the same square on its tip (their figures 4 and 5): ``x`` is
longitude, ``y`` counts rings from the equator, both in units of half a pixel's diagonal, 45 / nside degrees. There
all centres and corners are whole numbers, so that neighbours share their edges exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_FACES = 12
_LARGEST_NSIDE = 8192
"""2**29.6 pixels, a kilometre each: more would not fit a 32-bit index."""


@dataclass(frozen=True)
class HealpixGrid:
    """The sphere in ``12 nside**2`` pixels of equal area, in ``nested`` order (nside a power of 2) or ``ring`` order.

    >>> HealpixGrid(64).shape
    (49152,)
    """

    nside: int
    order: Literal["nested", "ring"] = "nested"

    dimension = "cell"

    def __post_init__(self) -> None:
        if not 1 <= self.nside <= _LARGEST_NSIDE:
            raise DataError(f"HEALPix nside is {self.nside}, expected 1 to {_LARGEST_NSIDE}")
        if self.order not in ("nested", "ring"):
            raise DataError(f"HEALPix order is {self.order!r}, expected 'nested' or 'ring'")
        if self.order == "nested" and self.nside & (self.nside - 1):
            raise DataError(f"HEALPix nside is {self.nside}, expected a power of 2; or take the order 'ring'")

    @property
    def shape(self) -> tuple[int]:
        """(number of pixels,)."""
        return (_FACES * self.nside**2,)

    @property
    def plane(self) -> tuple[Integers, Integers]:
        """``x`` and ``y`` of the pixels' centres on the plane, in the grid's order."""
        return _nested_plane(self.nside) if self.order == "nested" else _ring_plane(self.nside)

    @property
    def coordinates(self) -> dict[str, tuple[str, Floats]]:
        """Latitude and longitude (degrees) of the centres along the dimension ``cell``, as a dataset takes them."""
        latitude, longitude = centres(self.nside, *self.plane)
        return {"latitude": (self.dimension, latitude), "longitude": (self.dimension, longitude)}

    def __str__(self) -> str:
        return f"HEALPix grid of nside {self.nside}, {self.order} order"


def centres(nside: int, x: Integers, y: Integers) -> tuple[Floats, Floats]:
    """Latitude and longitude in degrees of points of the plane (Gorski et al. 2005, eqs. 4, 5, 8 and 9).

    Below 2/3 the sine of latitude is linear in ``y``; in the caps meridians run together towards the pole.
    """
    sigma = 2 - np.maximum(np.abs(y), nside) / nside
    sine = np.where(np.abs(y) <= nside, 2 * y / (3 * nside), np.sign(y) * (1 - sigma**2 / 3))
    middle = (x // (2 * nside) * 2 + 1) * nside
    longitude = np.where(np.abs(y) <= nside, x, middle + (x - middle) / sigma)
    return np.rad2deg(np.arcsin(sine)), longitude * 45 / nside


def ring_index(nside: int, x: Integers, y: Integers) -> Integers:
    """Number in ring order of the pixels at ``x``, ``y`` on the plane (Gorski et al. 2005, section 4.1).

    >>> grid = HealpixGrid(1)
    >>> ring_index(1, *grid.plane).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    """
    in_quarter = np.minimum(nside, 2 * nside - np.abs(y))
    north = 2 * in_quarter * (in_quarter - 1)
    belt = 2 * nside * (nside - 1) + 4 * nside * (nside - y)
    south = _FACES * nside**2 - 2 * in_quarter * (in_quarter + 1)
    first = np.where(y > nside, north, np.where(y >= -nside, belt, south))
    quarter = x // (2 * nside)
    west = (x - (2 * quarter + 1) * nside + in_quarter - 1) // 2
    return np.asarray(first + np.where(np.abs(y) >= nside, quarter * in_quarter + west, x // 2))


def _nested_plane(nside: int) -> tuple[Integers, Integers]:
    pixel = np.arange(_FACES * nside**2)
    face, inside = pixel // nside**2, pixel % nside**2
    east, west = _even_bits(inside), _even_bits(inside >> 1)  # steps to the north-east and to the north-west
    row, column = face // 4, face % 4
    x = (2 * column + (row != 1)) * nside + east - west
    y = (1 - row) * nside + east + west - (nside - 1)
    return x % (8 * nside), y


def _even_bits(number: Integers) -> Integers:
    bits = range(_LARGEST_NSIDE.bit_length())
    return np.asarray(sum((number >> 2 * bit & 1) << bit for bit in bits), dtype=np.int64)


def _ring_plane(nside: int) -> tuple[Integers, Integers]:
    rings = np.arange(2 * nside - 1, -2 * nside, -1)
    x = [_ring(nside, int(y)) for y in rings]
    return np.concatenate(x), np.repeat(rings, [len(ring) for ring in x])


def _ring(nside: int, y: int) -> Integers:
    if abs(y) < nside:
        return np.arange((y + nside + 1) % 2, 8 * nside, 2)
    quarter = (2 * np.arange(4)[:, None] + 1) * nside
    count = 2 * nside - abs(y)
    return np.asarray((quarter + np.arange(1 - count, count, 2)).ravel())
