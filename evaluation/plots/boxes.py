"""Boxes of latitude and longitude that maps show: regions by the evaluation's names, and what a grid covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from evaluation.regions import BOXES

if TYPE_CHECKING:
    from data_pipeline.grid import Grid

CIRCLE = 360.0


@dataclass(frozen=True)
class Box:
    """Degrees; ``east`` is more than ``west``, by 360 at most, and may be beyond 180.

    >>> Box(25.0, 60.0, 145.0, 230.0).middle
    (187.5, 42.5)
    """

    south: float
    north: float
    west: float
    east: float

    @property
    def width(self) -> float:
        """Degrees of longitude."""
        return self.east - self.west

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    @property
    def is_circle(self) -> bool:
        """Whether it goes all the way round."""
        return self.width >= CIRCLE


def box_called(region: str) -> Box:
    """The box of a region: one of ``evaluation.regions.BOXES``, ``box:SOUTH,NORTH,WEST,EAST`` or ``band:SOUTH,NORTH``.

    Raises
    ------
    DataError
        If it is none of these, off the globe, or as wide as a line.

    >>> box_called("north-pacific")
    Box(south=25.0, north=60.0, west=145.0, east=230.0)
    """
    if region in BOXES:
        return _checked(region, BOXES[region])
    kind, _, rest = region.partition(":")
    try:
        numbers = tuple(float(part) for part in rest.split(","))
    except ValueError:
        numbers = ()
    match kind, numbers:
        case "box", (south, north, west, east):
            return _checked(region, (south, north, west, east))
        case "band", (south, north):
            return _checked(region, (south, north, -180.0, 180.0))
    raise DataError(
        f"no map of the region {region!r}; expected one of {', '.join(BOXES)}, box:SOUTH,NORTH,WEST,EAST or "
        "band:SOUTH,NORTH in degrees"
    )


def box_of(grid: Grid) -> Box:
    """What a grid's points cover, whole if it is global."""
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    south, north = (-90.0, 90.0) if grid.reaches_poles else (float(latitude[-1]), float(latitude[0]))
    if grid.is_periodic:
        return Box(south, north, -180.0, 180.0)
    gaps = np.diff(longitude, append=longitude[0] + CIRCLE)
    last = int(np.argmax(gaps))
    west = float(longitude[(last + 1) % longitude.size])
    west -= CIRCLE if west > 180 else 0
    return Box(south, north, west, west + CIRCLE - float(gaps[last]))


def _checked(region: str, bounds: tuple[float, float, float, float]) -> Box:
    south, north, west, east = bounds
    if east <= west and (west - east) % CIRCLE == 0:
        raise DataError(
            f"the region {region} has its west and its east on one meridian; expected two, or all longitudes as "
            f"band:{south:g},{north:g}"
        )
    width = min(east - west, CIRCLE) if east > west else east - west + CIRCLE
    if not (-90 <= south < north <= 90 and abs(west) <= CIRCLE and abs(east) <= CIRCLE and 0 < width <= CIRCLE):
        raise DataError(
            f"the region {region} is off the globe; expected latitudes from -90 to 90, south before north, and "
            "longitudes from -180 to 360"
        )
    return Box(south, north, west, west + width)
