"""Fields on the points of a map: one cubic interpolation that knows the date line and the poles, prepared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.plots.views import View

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

GHOSTS = 2
"""Rows and columns added beyond each edge of the grid: a cubic needs two neighbours on either side."""
OUTSIDE = 0.03
"""Of the frame's longer side: fields are drawn that far beyond it, so that the map is filled to its corners."""
EDGE = 1e-6
"""Degrees beyond the last row or column of a regional grid that are still on it: rounding of a map's own edge."""


@dataclass(frozen=True)
class Taps:
    """Where along one axis each target falls: the interval's first point, and how far into the interval (0..1)."""

    points: Floats
    start: Integers
    fraction: Floats
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, points: Floats, targets: Floats, bounds: tuple[float, float]) -> Taps:
        """Taps for ``targets`` among ascending ``points``; those beyond ``bounds`` have no value."""
        start = np.clip(np.searchsorted(points, targets, side="right") - 1, 1, points.size - 3)
        fraction = (targets - points[start]) / (points[start + 1] - points[start])
        inside = (targets >= bounds[0] - EDGE) & (targets <= bounds[1] + EDGE)
        return cls(points, start, np.clip(fraction, 0.0, 1.0), inside)

    def linear(self) -> Floats:
        """Weights of the four neighbours, shape (targets, 4), of which the outer two are nought."""
        zero = np.zeros_like(self.fraction)
        return np.stack([zero, 1 - self.fraction, self.fraction, zero], axis=-1)

    def cubic(self) -> Floats:
        """Hermite weights with central-difference slopes (Catmull-Rom), for uneven points too: Gaussian latitudes."""
        p, s = [self.points[self.start + k] for k in (-1, 0, 1, 2)], self.fraction
        left = (s**3 - 2 * s**2 + s) * (p[2] - p[1]) / (p[2] - p[0])
        right = (s**3 - s**2) * (p[2] - p[1]) / (p[3] - p[1])
        rise = 3 * s**2 - 2 * s**3
        return np.stack([-left, 1 - rise - right, rise + left, right], axis=-1)


@dataclass(frozen=True)
class Mesh:
    """Map points, shape (rows, columns), in the map's units, and how to bring a field of the grid on to them.

    They run from one edge of the map to the other, both included, and to the poles where the grid does: no seam and
    no hole. The projection and the neighbours are computed once, whatever the number of members.
    """

    x: Floats
    y: Floats
    rows: Taps
    columns: Taps
    order: Integers
    over_the_pole: tuple[bool, bool] | None
    periodic: bool

    @classmethod
    def of(cls, grid: Grid, view: View, *, spacing: float) -> Mesh:
        """The mesh for ``grid`` seen through ``view``, with a point every ``spacing`` degrees."""
        longitude, latitude = view.points(spacing)
        x, y = view.project(longitude, latitude)
        x0, x1, y0, y1 = view.limits
        # What lies far outside the frame must not choose the colours inside.
        beside = OUTSIDE * max(x1 - x0, y1 - y0)
        near = (x > x0 - beside) & (x < x1 + beside) & (y > y0 - beside) & (y < y1 + beside)
        return cls.at(grid, np.where(near, longitude, np.nan), latitude, x, y)

    @classmethod
    def at(cls, grid: Grid, longitude: Floats, latitude: Floats, x: Floats, y: Floats) -> Mesh:
        """The mesh of these points, (rows, columns), which are NaN where they are off the globe."""
        order, points = _unwrapped(np.asarray(grid.longitude), grid.is_periodic)
        rows = _latitude_taps(np.asarray(grid.latitude), latitude.ravel(), grid.is_global)
        columns = _longitude_taps(points, longitude.ravel(), grid.is_periodic)
        poles = (grid.latitude[-1] == -90.0, grid.latitude[0] == 90.0) if grid.is_global else None
        return cls(x, y, rows, columns, order, poles, grid.is_periodic)

    def sample(self, values: Floats, *, sign: int = 1) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
        """``values`` (latitude north to south, longitude) on the map points; masked where there is no value.

        ``sign`` is -1 for a vector's component, which turns round beyond a pole. The result never leaves the range
        of ``values``: a cubic alone would draw negative rain and probabilities above 100 %.

        Raises
        ------
        DataError
            If no point of the map has a value.
        """
        sampled = self.interpolate(values, sign=sign)
        if not np.isfinite(sampled).any():
            raise DataError("the forecast has no value within this map; choose a region or projection that it covers")
        return np.ma.masked_invalid(sampled)

    def interpolate(self, values: Floats, *, sign: int = 1) -> Floats:
        """As ``sample``, NaN where there is no value, be it nowhere."""
        padded = self._padded(np.asarray(values, dtype=np.float64), sign)
        known = np.isfinite(padded)
        sampled = self._cubic(padded) if known.all() else self._linear(padded, known)
        sampled = np.clip(sampled, np.nanmin(values), np.nanmax(values))
        inside = (self.rows.inside & self.columns.inside).reshape(self.x.shape)
        return np.where(inside, sampled, np.nan)

    def _cubic(self, padded: Floats) -> Floats:
        return self._both(padded, self.rows.cubic(), self.columns.cubic())

    def _linear(self, padded: Floats, known: NDArray[np.bool_]) -> Floats:
        """Near missing values: the mean of the known neighbours, up to half a cell from them."""
        rows, columns = self.rows.linear(), self.columns.linear()
        share = self._both(known.astype(np.float64), rows, columns)
        total = self._both(np.where(known, padded, 0.0), rows, columns)
        return np.divide(total, share, out=np.full_like(total, np.nan), where=share >= 0.5)

    def _both(self, padded: Floats, rows: Floats, columns: Floats) -> Floats:
        """Weighted sums of the 4 x 4 neighbours of every point."""
        total = np.zeros(len(rows))
        for row in range(4):
            for column in range(4):
                neighbour = padded[self.rows.start + row - 1, self.columns.start + column - 1]
                total += rows[:, row] * columns[:, column] * neighbour
        return total.reshape(self.x.shape)

    def _padded(self, values: Floats, sign: int) -> Floats:
        """South to north, west to east, with ghost rows from beyond the poles and columns from round the globe."""
        ascending = values[::-1][:, self.order]
        if self.over_the_pole is None:
            tall = np.pad(ascending, ((GHOSTS, GHOSTS), (0, 0)), mode="edge")
        else:
            beyond = sign * np.roll(ascending, ascending.shape[1] // 2, axis=1)
            south, north = (int(has_pole) for has_pole in self.over_the_pole)
            last = len(beyond) - 1 - north
            tall = np.concatenate(
                [beyond[south : south + GHOSTS][::-1], ascending, beyond[last - GHOSTS + 1 : last + 1][::-1]]
            )
        return np.pad(tall, ((0, 0), (GHOSTS, GHOSTS)), mode="wrap" if self.periodic else "edge")


def _unwrapped(longitude: Floats, periodic: bool) -> tuple[Integers, Floats]:
    """The order in which longitudes ascend without a jump: a regional grid opens at its widest gap, not at 0."""
    count = longitude.size
    first = 0 if periodic else (int(np.argmax(np.diff(longitude, append=longitude[0] + 360.0))) + 1) % count
    order = (np.arange(count) + first) % count
    return order, np.unwrap(longitude[order], period=360.0)


def _latitude_taps(latitude: Floats, targets: Floats, closed: bool) -> Taps:
    ascending = latitude[::-1]
    if not closed:
        return Taps.of(_extrapolated(ascending), targets, (ascending[0], ascending[-1]))
    below = -180.0 - ascending[ascending > -90.0][:GHOSTS][::-1]
    above = 180.0 - ascending[ascending < 90.0][-GHOSTS:][::-1]
    return Taps.of(np.concatenate([below, ascending, above]), targets, (-90.0, 90.0))


def _longitude_taps(longitude: Floats, targets: Floats, periodic: bool) -> Taps:
    wrapped = (targets - longitude[0] + EDGE) % 360.0 + longitude[0] - EDGE
    if not periodic:
        return Taps.of(_extrapolated(longitude), wrapped, (longitude[0], longitude[-1]))
    around = np.concatenate([longitude[-GHOSTS:] - 360.0, longitude, longitude[:GHOSTS] + 360.0])
    return Taps.of(around, wrapped, (-np.inf, np.inf))


def _extrapolated(points: Floats) -> Floats:
    steps = np.arange(1, GHOSTS + 1)
    before = points[0] - (points[1] - points[0]) * steps[::-1]
    return np.concatenate([before, points, points[-1] + (points[-1] - points[-2]) * steps])
