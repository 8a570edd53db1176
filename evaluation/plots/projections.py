"""Projections by name, of the whole globe or of a box: each makes a view."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cartopy.crs as ccrs
import numpy as np

from data_pipeline.errors import DataError
from evaluation.plots.boxes import Box, box_called, box_of
from evaluation.plots.views import View
from evaluation.regions import BOXES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

HEMISPHERE = 20.0
"""Degrees from the equator to which a map of a pole reaches where no region is asked for."""
HORIZON = 89.95
"""Degrees from its middle to which the globe seen from space is drawn: at 90 it is seen edge on."""
FARTHEST = 120.0
"""Degrees from the pole to which a polar map reaches."""
TROPICS = 15.0
"""Degrees: a box whose middle is nearer to the equator is shown on plate carree, not on a cone."""
MARGIN = 0.01
_SAMPLES = 61


def _robinson(box: Box | None) -> View:
    if box is None:
        return View("robinson", ccrs.Robinson())
    return _framed("robinson", ccrs.Robinson(central_longitude=box.middle[0]), box)


def _plate_carree(box: Box | None) -> View:
    if box is None:
        return View("plate_carree", ccrs.PlateCarree())
    return _framed("plate_carree", ccrs.PlateCarree(central_longitude=box.middle[0]), box)


def _north_pole(box: Box | None) -> View:
    if box is None or (box.is_circle and box.north >= 90):
        return _cap("north_pole", ccrs.NorthPolarStereo(), 90.0, HEMISPHERE if box is None else box.south)
    _check_reach("north_pole", 90.0, box.south)
    return _framed("north_pole", ccrs.NorthPolarStereo(central_longitude=box.middle[0]), box)


def _south_pole(box: Box | None) -> View:
    if box is None or (box.is_circle and box.south <= -90):
        return _cap("south_pole", ccrs.SouthPolarStereo(), -90.0, -HEMISPHERE if box is None else box.north)
    _check_reach("south_pole", -90.0, box.north)
    return _framed("south_pole", ccrs.SouthPolarStereo(central_longitude=box.middle[0]), box)


def _lambert(box: Box | None) -> View:
    """Lambert's conformal cone, true at a sixth of the box's latitudes from either end."""
    if box is None:
        raise DataError("Lambert's projection shows a region, and none is given; pass --region, e.g. --region europe")
    longitude, latitude = box.middle
    if abs(latitude) < TROPICS or box.width > 180:
        raise DataError(
            "Lambert's projection shows a region of middle latitudes up to 180 degrees wide, got latitude "
            f"{box.south:g}..{box.north:g} and {box.width:g} degrees; choose projection plate_carree"
        )
    sixth = (box.north - box.south) / 6
    parallels = (box.south + sixth, box.north - sixth)
    cutoff = -30.0 if latitude > 0 else 30.0
    crs = ccrs.LambertConformal(longitude, latitude, standard_parallels=parallels, cutoff=cutoff)
    return _framed("lambert", crs, box)


def _orthographic(box: Box | None) -> View:
    """The globe from space, above the middle of the box."""
    longitude, latitude = (0.0, HEMISPHERE) if box is None else box.middle
    crs = ccrs.Orthographic(longitude, latitude)
    return View(
        "orthographic", crs, longitude - 180.0, longitude + 180.0, frame=(*crs.x_limits, *crs.y_limits),
        centre=(longitude, latitude), reach=HORIZON,
    )  # fmt: skip


PROJECTIONS: dict[str, Callable[[Box | None], View]] = {
    "robinson": _robinson,
    "plate_carree": _plate_carree,
    "north_pole": _north_pole,
    "south_pole": _south_pole,
    "lambert": _lambert,
    "orthographic": _orthographic,
}
"""Robinson, plate carree, polar stereographic, Lambert's conformal cone and orthographic."""


def view_of(projection: str | None = None, region: str | None = None, grid: Grid | None = None) -> View:
    """The map to draw on: of the region if one is given, else of what ``grid`` covers, else of the globe.

    Parameters
    ----------
    projection
        A key of ``PROJECTIONS``; by default that which suits the region.
    region
        As ``evaluation.plots.boxes.box_called`` takes it.
    grid
        Of the field: a regional one fills the map where neither a region nor a projection of the globe is asked for.

    Raises
    ------
    DataError
        If there is no such projection or region, or the one cannot show the other.
    """
    if projection is not None and projection not in PROJECTIONS:
        hint = "; it is a region: pass it with --region" if projection in BOXES else ""
        raise DataError(f"unknown projection {projection!r}; expected one of: {', '.join(PROJECTIONS)}{hint}")
    box = box_called(region) if region is not None else None
    if box is None and grid is not None and not grid.is_global and projection in (None, "lambert"):
        box = box_of(grid)
    return _view(projection or _suitable(box), None if box is not None and _is_globe(box) else box)


@cache
def _view(projection: str, box: Box | None) -> View:
    return PROJECTIONS[projection](box)


def _suitable(box: Box | None) -> str:
    if box is None or _is_globe(box):
        return "robinson"
    if box.is_circle and box.north >= 90 and box.south >= 0:
        return "north_pole"
    if box.is_circle and box.south <= -90 and box.north <= 0:
        return "south_pole"
    return "plate_carree" if box.width > 180 or abs(box.middle[1]) < TROPICS else "lambert"


def _is_globe(box: Box) -> bool:
    return box.is_circle and box.south <= -90 and box.north >= 90


def _cap(name: str, crs: ccrs.Projection, pole: float, edge: float) -> View:
    """A round map about a pole as far as latitude ``edge``, at most to 30 degrees beyond the equator."""
    _check_reach(name, pole, edge)
    radius = abs(float(crs.transform_point(0.0, edge, ccrs.PlateCarree())[1]))
    reach = abs(pole - edge) + 1.0
    south, north = sorted((pole, pole - np.sign(pole) * reach))
    frame = (-radius, radius, -radius, radius)
    return View(name, crs, south=float(south), north=float(north), frame=frame, centre=(0.0, pole), reach=reach)


def _check_reach(name: str, pole: float, edge: float) -> None:
    """At most to 30 degrees beyond the equator: further, a frame would have corners off the map."""
    if abs(pole - edge) > FARTHEST:
        raise DataError(f"projection {name} cannot show latitudes to {edge:g}; choose robinson or plate_carree")


def _framed(name: str, crs: ccrs.Projection, box: Box) -> View:
    """A rectangular map that holds all of the box."""
    middle = box.middle[0]
    whole = View(name, crs, middle - 180.0, middle + 180.0)
    sides = np.linspace(box.west, box.east, _SAMPLES), np.linspace(box.south, box.north, _SAMPLES)
    x, y = whole.project(*np.meshgrid(*sides))
    frame = (*_with_margin(x, crs.x_limits), *_with_margin(y, crs.y_limits))
    return View(name, crs, *_seen(whole, frame), frame)


def _with_margin(values: NDArray[np.float64], limits: tuple[float, float]) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = MARGIN * (high - low)
    return max(low - margin, limits[0]), min(high + margin, limits[1])


def _seen(view: View, frame: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """West, east, south and north of what a frame shows, whole circles where it shows a pole."""
    x, y = np.meshgrid(np.linspace(*frame[:2], _SAMPLES), np.linspace(*frame[2:], _SAMPLES))
    longitude, latitude = view.unproject(x, y)
    # Between the samples a parallel bulges, by less than a sample's spacing.
    more = 2.0 * max(np.nanmax(np.abs(np.diff(latitude, axis=0))), 1e-3)
    south, north = max(float(np.nanmin(latitude) - more), -90.0), min(float(np.nanmax(latitude) + more), 90.0)
    if north >= 90 or south <= -90:
        return view.west, view.east, south, north
    west, east = float(np.nanmin(longitude)), float(np.nanmax(longitude))
    more = 2.0 * (east - west) / _SAMPLES
    return max(west - more, view.west), min(east + more, view.east), south, north
