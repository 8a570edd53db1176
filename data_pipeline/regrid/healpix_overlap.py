"""Exact areas of overlap of HEALPix pixels with the cells of a latitude-longitude grid.

Area on the sphere is area in the plane of longitude and sine of latitude z. There a pixel lies between a left and a
right boundary, each made of two monotone pieces that meet at the height of the pixel's centre (Gorski et al. 2005,
eqs. 19-22). With the depth d = 1 - z and longitude in units of 45 / nside degrees the pieces are::

    belt   longitude = offset + slope * d
    cap    longitude = offset + slope / sigma,    sigma = sqrt(3 d)

and both integrate in closed form. The part of a pixel west of the meridian p, between two depths, has the area
W(p) = integral of min(right, p) - min(left, p); its overlap with a cell is W(east edge) - W(west edge). Southern
pixels are mirrored. Depth, and not z, keeps all digits next to the poles.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.compiled import compiled
from data_pipeline.regrid.healpix import HealpixGrid, centres
from data_pipeline.regrid.kernels import Sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


def healpix_overlaps(source: Grid, target: HealpixGrid) -> Sparse:
    """Shares of the source's cells in the area of each pixel; every pixel's shares sum to 1."""
    x, y = target.plane
    depths = 2 * np.sin(np.deg2rad(90 - source.latitude_bounds()) / 2) ** 2
    heights = 2 * np.sin(np.deg2rad(90 + source.latitude_bounds()[::-1]) / 2) ** 2
    meridians = source.longitude_bounds() * (target.nside / 45)
    middle = centres(target.nside, x, y)[1] * (target.nside / 45)
    geometry = (target.nside, x, y, middle, depths, heights, meridians)
    count = _overlap(*geometry, np.zeros(x.size, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0))
    offsets = np.concatenate([[0], np.cumsum(count)])
    indices, weights = np.empty(offsets[-1], dtype=np.int32), np.empty(offsets[-1])
    _overlap(*geometry, offsets, indices, weights)
    return Sparse(offsets, indices, weights)


@compiled
def _overlap(
    nside: int,
    x: Integers,
    y: Integers,
    middle: Floats,
    depths: Floats,
    heights: Floats,
    meridians: Floats,
    offsets: Integers,
    indices: NDArray[np.int32],
    weights: Floats,
) -> Integers:
    """Count the cells that each pixel overlaps; write them down from ``offsets`` on where there is room."""
    n_rows, n_columns = depths.size - 1, meridians.size - 1
    count = np.zeros(x.size, dtype=np.int64)
    for pixel in range(x.size):
        edges = depths if y[pixel] >= 0 else heights
        pieces = _pieces(nside, x[pixel], abs(y[pixel]), middle[pixel])
        row = np.searchsorted(edges, pieces[0, 0], side="right") - 1
        while row < n_rows and edges[row] < pieces[1, 1]:
            west, east = _extent(pieces, edges[row], edges[row + 1])
            column, before = _column(meridians, west + middle[pixel]), 0.0
            while _meridian(meridians, column, nside) - middle[pixel] < east:
                entry = offsets[pixel] + count[pixel]
                if entry < weights.size:
                    edge = _meridian(meridians, column + 1, nside) - middle[pixel]
                    upto = _west_of(pieces, edges[row], edges[row + 1], edge)
                    indices[entry] = (row if y[pixel] >= 0 else n_rows - 1 - row) * n_columns + column % n_columns
                    weights[entry] = max(upto - before, 0.0)
                    before = upto
                count[pixel] += 1
                column += 1
            row += 1
        mine = weights[offsets[pixel] : offsets[pixel] + count[pixel]]
        mine /= mine.sum()  # the pixel's area, but for the rounding of the smallest pixels
    return count


@compiled
def _pieces(nside: int, x: int, y: int, middle: float) -> Floats:
    """The pixel's upper and lower piece: from depth, to depth, whether in the cap, then offset and slope of its
    left and of its right boundary, with longitude counted from ``middle``. ``y`` is not negative.
    """
    pieces = np.empty((2, 7))
    centre = (x // (2 * nside) * 2 + 1) * nside
    for piece in range(2):
        in_cap = y >= nside if piece == 0 else y > nside
        turn = 1 if piece == 0 else -1  # the left boundary leans east going up to the tip, west down to the centre
        pieces[piece, 0] = _depth(nside, y + 1 - piece)
        pieces[piece, 1] = _depth(nside, y - piece)
        pieces[piece, 2] = in_cap
        for side in range(2):
            outward = -1 if side == 0 else 1
            lean = -outward * turn  # x = at_equator + lean * y on the plane
            at_equator = x + outward - lean * y
            if in_cap:  # y = nside * (2 - sigma), and x - centre is divided by sigma
                pieces[piece, 3 + 2 * side] = centre - lean * nside - middle
                pieces[piece, 4 + 2 * side] = at_equator - centre + 2 * lean * nside
            else:  # y = 1.5 * nside * (1 - d)
                pieces[piece, 3 + 2 * side] = at_equator + 1.5 * lean * nside - middle
                pieces[piece, 4 + 2 * side] = -1.5 * lean * nside
    return pieces


@compiled
def _depth(nside: int, y: int) -> float:
    """1 - z of the height ``y`` on the plane (not negative)."""
    if y <= nside:
        return 1 - 2 * y / (3 * nside)
    return (2 - y / nside) ** 2 / 3


@compiled
def _extent(pieces: Floats, top: float, bottom: float) -> tuple[float, float]:
    """Westernmost and easternmost longitude of the pixel between two depths."""
    west, east = np.inf, -np.inf
    for piece in pieces:
        low, high = max(top, piece[0]), min(bottom, piece[1])
        if low < high:
            in_cap = piece[2] > 0
            west = min(west, _longitude(in_cap, piece[3], piece[4], low), _longitude(in_cap, piece[3], piece[4], high))
            east = max(east, _longitude(in_cap, piece[5], piece[6], low), _longitude(in_cap, piece[5], piece[6], high))
    return west, east


@compiled
def _west_of(pieces: Floats, top: float, bottom: float, meridian: float) -> float:
    """Area of the pixel between two depths and west of a meridian."""
    area = 0.0
    for piece in pieces:
        low, high, in_cap = max(top, piece[0]), min(bottom, piece[1]), piece[2] > 0
        if low < high:
            area += _integral_below(in_cap, piece[5], piece[6], low, high, meridian)
            area -= _integral_below(in_cap, piece[3], piece[4], low, high, meridian)
    return area


@compiled
def _integral_below(in_cap: bool, offset: float, slope: float, top: float, bottom: float, meridian: float) -> float:
    """Integral over depth of the smaller of the boundary's longitude and ``meridian``."""
    first, last = _longitude(in_cap, offset, slope, top), _longitude(in_cap, offset, slope, bottom)
    if max(first, last) <= meridian:
        return _integral(in_cap, offset, slope, top, bottom)
    if min(first, last) >= meridian:
        return meridian * (bottom - top)
    ratio = (meridian - offset) / slope
    crossing = min(max(1 / (3 * ratio**2) if in_cap else ratio, top), bottom)
    if first < meridian:
        return _integral(in_cap, offset, slope, top, crossing) + meridian * (bottom - crossing)
    return meridian * (crossing - top) + _integral(in_cap, offset, slope, crossing, bottom)


@compiled
def _longitude(in_cap: bool, offset: float, slope: float, depth: float) -> float:
    if slope == 0:  # a meridian that ends in the pole, where sigma is 0
        return offset
    return offset + (slope / math.sqrt(3 * depth) if in_cap else slope * depth)


@compiled
def _integral(in_cap: bool, offset: float, slope: float, top: float, bottom: float) -> float:
    if in_cap:
        return offset * (bottom - top) + slope * (2 / 3) * (math.sqrt(3 * bottom) - math.sqrt(3 * top))
    return (bottom - top) * (offset + slope * (top + bottom) / 2)


@compiled
def _column(meridians: Floats, longitude: float) -> int:
    """The column, counted on round the circle, in which a longitude lies."""
    circle = meridians[-1] - meridians[0]
    turns = math.floor((longitude - meridians[0]) / circle)
    inside = np.searchsorted(meridians, longitude - turns * circle, side="right") - 1
    return int(turns * (meridians.size - 1) + min(max(inside, 0), meridians.size - 2))


@compiled
def _meridian(meridians: Floats, column: int, nside: int) -> float:
    """The west edge of a column, counted on round the circle."""
    n_columns = meridians.size - 1
    return float(meridians[column % n_columns] + column // n_columns * 8.0 * nside)
