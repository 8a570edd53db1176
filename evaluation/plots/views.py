"""The maps that can be drawn on: a projection, its frame, and the part of the sphere to draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cartopy.crs as ccrs
import numpy as np

from evaluation.plots import coastlines
from evaluation.plots.geodesy import destination

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EDGE = 1e-6
"""Degrees kept from the map's edge: a point exactly on it may be projected on to the other edge."""
METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True)
class View:
    """A projection with its frame; longitudes and latitudes in degrees.

    ``west`` and ``east`` bound what is drawn and may leave +-180; they are 360 apart on a map of the whole circle.
    ``frame`` is (x0, x1, y0, y1) in the projection's own units, or None for all of the projection. A view with a
    ``centre`` is a disc that shows everything within ``reach`` degrees of it.
    """

    name: str
    crs: ccrs.Projection
    west: float = -180.0
    east: float = 180.0
    south: float = -90.0
    north: float = 90.0
    frame: tuple[float, float, float, float] | None = None
    centre: tuple[float, float] | None = None
    reach: float = 180.0

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """The frame: (x0, x1, y0, y1)."""
        return self.frame or (*self.crs.x_limits, *self.crs.y_limits)

    @property
    def aspect(self) -> float:
        """Width over height."""
        x0, x1, y0, y1 = self.limits
        return (x1 - x0) / (y1 - y0)

    @property
    def degrees_across(self) -> float:
        """Great-circle degrees from the left edge to the right, at the scale of the middle; 360 for a world map."""
        x0, x1, _, _ = self.limits
        if self.frame is None:
            return 360.0
        return (x1 - x0) / (1.0 if isinstance(self.crs, ccrs.PlateCarree) else METRES_PER_DEGREE)

    def points(self, spacing: float) -> tuple[Floats, Floats]:
        """Longitudes and latitudes, (rows, columns), that cover the map to its edges with about this spacing."""
        if self.centre is not None:
            longitude, latitude = _disc(self.centre, self.reach, spacing)
            return self.wrap(longitude), latitude
        sides = _even(self.west, self.east, spacing), _even(self.south, self.north, spacing)
        longitude, latitude = np.meshgrid(*sides)
        return longitude, latitude

    def project(self, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
        """Map coordinates of points given in degrees; NaN stays NaN, and what the map cannot show becomes NaN."""
        inside = np.clip(longitude, self.west + EDGE, self.east - EDGE)
        return _transformed(ccrs.PlateCarree(), self.crs, inside, np.asarray(latitude, dtype=np.float64))

    def unproject(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude of map coordinates; NaN where they are off the globe."""
        longitude, latitude = _transformed(self.crs, ccrs.PlateCarree(), x, y)
        longitude = self.wrap(longitude)
        x0, x1, _, _ = self.limits
        again = np.hypot(*(np.subtract(*pair) for pair in zip(self.project(longitude, latitude), (x, y), strict=True)))
        on_globe = again < 1e-4 * (x1 - x0)
        return np.where(on_globe, longitude, np.nan), np.where(on_globe, latitude, np.nan)

    def wrap(self, longitude: Floats) -> Floats:
        """Longitudes moved by whole turns into the 360 degrees about the middle of the view."""
        start = (self.west + self.east) / 2 - 180.0
        return np.asarray((longitude - start) % 360.0 + start, dtype=np.float64)


@cache
def map_lines(view: View, feature: coastlines.Feature, resolution: coastlines.Resolution) -> tuple[Floats, Floats]:
    """Coastlines, borders or lakes in map coordinates, NaN between lines."""
    return _projected(view, coastlines.lines(feature, resolution))


@cache
def graticule(view: View) -> tuple[Floats, Floats]:
    """Meridians and parallels every 30, 10 or 5 degrees in map coordinates, NaN between lines."""
    step = 30.0 if view.degrees_across > 100 else 10.0 if view.degrees_across > 30 else 5.0
    # Meridians stop short of the poles, where on a polar map they would all run together.
    meridian, circle = np.arange(-80.0, 80.5, 1.0), np.arange(-180.0, 180.5, 1.0) + (view.west + view.east) / 2
    meridians = [np.column_stack([np.full(meridian.size, lon), meridian]) for lon in np.arange(-180.0, 180.0, step)]
    parallels = [
        np.column_stack([circle, np.full(circle.size, lat)]) for lat in np.arange(-90.0 + step, 90.0, step)
    ]  # fmt: skip
    return _projected(view, coastlines.joined([*meridians, *parallels]))


def _projected(view: View, line: Floats) -> tuple[Floats, Floats]:
    longitude, latitude = view.wrap(line[:, 0]), line[:, 1]
    hidden = (longitude < view.west) | (longitude > view.east) | (latitude < view.south) | (latitude > view.north)
    x, y = view.project(longitude, np.where(hidden, np.nan, latitude))
    x0, x1, _, _ = view.limits
    # A step of a quarter of the map is a line that left by one edge and came back by the other.
    leaps = np.flatnonzero(np.abs(np.diff(x)) > (x1 - x0) / 4) + 1
    return np.insert(x, leaps, np.nan), np.insert(y, leaps, np.nan)


def _transformed(source: ccrs.CRS, target: ccrs.CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    points = target.transform_points(source, np.asarray(x, dtype=np.float64), y)
    finite = np.isfinite(points[..., :2]).all(axis=-1) & np.isfinite(y)
    return np.where(finite, points[..., 0], np.nan), np.where(finite, points[..., 1], np.nan)


def _even(start: float, stop: float, spacing: float) -> Floats:
    return np.linspace(start, stop, int(np.ceil((stop - start) / spacing)) + 1)


def _disc(centre: tuple[float, float], reach: float, spacing: float) -> tuple[Floats, Floats]:
    """Rings round ``centre``, from a point to ``reach`` degrees, each closed."""
    bearing, distance = np.meshgrid(_even(0.0, 360.0, spacing), _even(0.0, reach, spacing))
    return destination(*centre, bearing, distance)
