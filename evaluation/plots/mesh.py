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
        inside = (targets >= bounds[0]) & (targets <= bounds[1])
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

    def apply(self, values: Floats, weights: Floats) -> Floats:
        """Weighted sums of four neighbours along the last axis of ``values``."""
        neighbours = self.start[:, None] + np.arange(-1, 3)
        return np.asarray(np.einsum("...nk,nk->...n", values[..., neighbours], weights), dtype=np.float64)


@dataclass(frozen=True)
class Mesh:
    """Map points, shape (rows, columns), in metres, and how to bring a field of the grid on to them.

    The columns run from the left edge of the map to the right, both included, and the rows to the poles where the
    grid does: no seam and no hole. The projection is computed once, whatever the number of members.
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
        latitude = _even(view.south, view.north, spacing)
        longitude = _even(view.west, view.east, spacing)
        x, y = view.project(*np.meshgrid(longitude, latitude))
        order, points = _unwrapped(np.asarray(grid.longitude), grid.is_periodic)
        rows = _latitude_taps(np.asarray(grid.latitude), latitude, grid.is_global)
        columns = _longitude_taps(points, longitude, grid.is_periodic)
        poles = (grid.latitude[-1] == -90.0, grid.latitude[0] == 90.0) if grid.is_global else None
        return cls(x, y, rows, columns, order, poles, grid.is_periodic)

    def sample(self, values: Floats, *, sign: int = 1) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
        """``values`` (latitude north to south, longitude) on the map points; masked where there is no value.

        ``sign`` is -1 for a vector's component, which turns round beyond a pole. The result never leaves the range
        of ``values``: a cubic alone would draw negative rain and probabilities above 100 %.
        """
        padded = self._padded(np.asarray(values, dtype=np.float64), sign)
        known = np.isfinite(padded)
        sampled = self._cubic(padded) if known.all() else self._linear(padded, known)
        sampled = np.clip(sampled, np.nanmin(values), np.nanmax(values))
        inside = self.rows.inside[:, None] & self.columns.inside
        if not np.isfinite(sampled[inside]).any():
            raise DataError("the forecast has no value within this map; choose a projection that shows its region")
        return np.ma.masked_invalid(np.where(inside, sampled, np.nan))

    def _cubic(self, padded: Floats) -> Floats:
        return self._both(padded, self.rows.cubic(), self.columns.cubic())

    def _linear(self, padded: Floats, known: NDArray[np.bool_]) -> Floats:
        """Near missing values: the mean of the known neighbours, up to half a cell from them."""
        rows, columns = self.rows.linear(), self.columns.linear()
        share = self._both(known.astype(np.float64), rows, columns)
        total = self._both(np.where(known, padded, 0.0), rows, columns)
        return np.divide(total, share, out=np.full_like(total, np.nan), where=share >= 0.5)

    def _both(self, padded: Floats, rows: Floats, columns: Floats) -> Floats:
        along = self.columns.apply(padded, columns)
        return np.swapaxes(self.rows.apply(np.swapaxes(along, -1, -2), rows), -1, -2)

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


def _even(start: float, stop: float, spacing: float) -> Floats:
    return np.linspace(start, stop, int(np.ceil((stop - start) / spacing)) + 1)


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
    wrapped = (targets - longitude[0]) % 360.0 + longitude[0]
    if not periodic:
        return Taps.of(_extrapolated(longitude), wrapped, (longitude[0], longitude[-1]))
    around = np.concatenate([longitude[-GHOSTS:] - 360.0, longitude, longitude[:GHOSTS] + 360.0])
    return Taps.of(around, wrapped, (-np.inf, np.inf))


def _extrapolated(points: Floats) -> Floats:
    steps = np.arange(1, GHOSTS + 1)
    before = points[0] - (points[1] - points[0]) * steps[::-1]
    return np.concatenate([before, points, points[-1] + (points[-1] - points[-2]) * steps])
