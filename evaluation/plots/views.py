"""The maps that can be drawn on: a projection, its frame, and the part of the sphere to draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cartopy.crs as ccrs
import numpy as np

from data_pipeline.errors import DataError
from evaluation.plots import coastlines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EDGE = 1e-6
"""Degrees kept from the map's edge: a point exactly on it may be projected on to the other edge."""


@dataclass(frozen=True)
class View:
    """A projection with its frame; longitudes and latitudes in degrees.

    ``west`` and ``east`` bound what is drawn and may leave +-180; they are 360 apart on a map of the whole circle.
    ``frame`` is (x0, x1, y0, y1) in the projection's metres, or None for all of the projection.
    """

    name: str
    crs: ccrs.Projection
    west: float = -180.0
    east: float = 180.0
    south: float = -90.0
    north: float = 90.0
    frame: tuple[float, float, float, float] | None = None
    is_round: bool = False
    resolution: coastlines.Resolution = "110m"

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """The frame in metres: (x0, x1, y0, y1)."""
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
        return 360.0 if self.frame is None else (x1 - x0) / 111_195.0

    def project(self, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
        """Map coordinates in metres of points given in degrees; NaN stays NaN."""
        inside = np.clip(longitude, self.west + EDGE, self.east - EDGE)
        points = self.crs.transform_points(ccrs.PlateCarree(), inside, np.asarray(latitude, dtype=np.float64))
        finite = np.isfinite(points[..., :2]).all(axis=-1) & np.isfinite(latitude)
        return np.where(finite, points[..., 0], np.nan), np.where(finite, points[..., 1], np.nan)

    def wrap(self, longitude: Floats) -> Floats:
        """Longitudes moved by whole turns into the 360 degrees about the middle of the view."""
        start = (self.west + self.east) / 2 - 180.0
        return np.asarray((longitude - start) % 360.0 + start, dtype=np.float64)


def _polar(name: str, crs: ccrs.Projection, *, edge: float) -> View:
    """A hemisphere round its pole, as far as latitude ``edge``."""
    radius = abs(float(crs.transform_point(0.0, edge, ccrs.PlateCarree())[1]))
    south, north = (edge - 1.0, 90.0) if edge > 0 else (-90.0, edge + 1.0)
    frame = (-radius, radius, -radius, radius)
    return View(name, crs, south=south, north=north, frame=frame, is_round=True)


_VIEWS = (
    View("robinson", ccrs.Robinson()),
    View("plate_carree", ccrs.PlateCarree()),
    _polar("north_pole", ccrs.NorthPolarStereo(), edge=20.0),
    _polar("south_pole", ccrs.SouthPolarStereo(), edge=-20.0),
    View("europe", ccrs.LambertConformal(10.0, 50.0, standard_parallels=(40.0, 60.0)), -70.0, 90.0, 15.0, 88.0,
         frame=(-4.3e6, 4.3e6, -2.3e6, 2.5e6), resolution="50m"),
)  # fmt: skip

VIEWS: dict[str, View] = {view.name: view for view in _VIEWS}


def view_called(name: str) -> View:
    """The view called ``name``; a DataError lists those there are."""
    if name not in VIEWS:
        raise DataError(f"unknown projection {name!r}; expected one of: {', '.join(VIEWS)}")
    return VIEWS[name]


@cache
def map_lines(view: View, feature: coastlines.Feature) -> tuple[Floats, Floats]:
    """Coastlines or borders in map coordinates (metres), NaN between lines."""
    return _projected(view, coastlines.lines(feature, view.resolution))


@cache
def graticule(view: View) -> tuple[Floats, Floats]:
    """Meridians and parallels every 30 degrees in map coordinates (metres), NaN between lines."""
    latitude = np.arange(-90.0, 90.5, 1.0)
    longitude = np.arange(view.west, view.east + 0.5, 1.0)
    # Meridians stop short of the poles, where on a polar map they would all run together.
    meridians = [np.column_stack([np.full(161, lon), latitude[10:-10]]) for lon in np.arange(-180.0, 180.0, 30.0)]
    parallels = [np.column_stack([longitude, np.full(longitude.size, lat)]) for lat in np.arange(-60.0, 61.0, 30.0)]
    return _projected(view, coastlines.joined([*meridians, *parallels]))


def _projected(view: View, line: Floats) -> tuple[Floats, Floats]:
    longitude, latitude = view.wrap(line[:, 0]), line[:, 1]
    hidden = (longitude < view.west) | (longitude > view.east) | (latitude < view.south) | (latitude > view.north)
    x, y = view.project(longitude, np.where(hidden, np.nan, latitude))
    x0, x1, _, _ = view.limits
    # A step of a quarter of the map is a line that left by one edge and came back by the other.
    leaps = np.flatnonzero(np.abs(np.diff(x)) > (x1 - x0) / 4) + 1
    return np.insert(x, leaps, np.nan), np.insert(y, leaps, np.nan)
