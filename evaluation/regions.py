"""Where scores are averaged: regions by name, boxes, bands, land and sea, polygons, stations.

A point is in a region if its centre is, both ends included: 20 degrees belongs to the tropics and to both hemispheres'
extra-tropics. ``land`` is where the land-sea mask is at least one half, ``sea`` the rest. ``&`` cuts regions.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.quality.land_mask import land_fraction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats

    Mask = NDArray[np.bool_]

WHOLE = (-90.0, 90.0, -180.0, 180.0)
BOXES: dict[str, tuple[float, float, float, float]] = {
    "global": WHOLE,
    "tropics": (-20.0, 20.0, -180.0, 180.0),
    "northern-hemisphere": (20.0, 90.0, -180.0, 180.0),
    "southern-hemisphere": (-90.0, -20.0, -180.0, 180.0),
    "arctic": (60.0, 90.0, -180.0, 180.0),
    "antarctic": (-90.0, -60.0, -180.0, 180.0),
    "europe": (35.0, 75.0, -12.5, 42.5),
    "north-america": (25.0, 60.0, -120.0, -75.0),
    "north-atlantic": (25.0, 65.0, -70.0, -10.0),
    "north-pacific": (25.0, 60.0, 145.0, -130.0),
    "east-asia": (25.0, 60.0, 102.5, 150.0),
    "ausnz": (-45.0, -12.5, 120.0, 175.0),
    "wmo-europe-north-africa": (25.0, 70.0, -10.0, 28.0),
    "wmo-north-america": (25.0, 60.0, -145.0, -50.0),
    "wmo-asia": (25.0, 65.0, 60.0, 145.0),
    "wmo-australia-new-zealand": (-55.0, -10.0, 90.0, 180.0),
}
"""South, north, west and east in degrees: WeatherBench2's and ECMWF's, and WMO's (Manual on the Global Data-processing
and Forecasting System, WMO-No. 485, appendix 2.2.34) where they differ; its hemispheres and tropics are the same."""

EDGE = 1e-4
"""Degrees that a centre may be beyond the end of a region: float32 coordinates."""


@dataclass(frozen=True)
class Region:
    """A named part of the sphere; ``contains`` tells of each point of a grid (latitude, longitude) whether it is in."""

    name: str
    contains: Callable[[Grid], Mask]


def region(name: str, land: NDArray[np.floating] | None = None) -> Region:
    """The region called ``name``.

    Parameters
    ----------
    name
        One of ``BOXES``, ``extra-tropics``, ``land``, ``sea``, ``band:SOUTH,NORTH``, ``box:SOUTH,NORTH,WEST,EAST``
        (degrees; west may be more than east, across the date line), ``polygon:FILE.geojson``, ``stations:FILE.csv``
        (columns latitude and longitude; the nearest points), or several joined by ``&``.
    land
        Fraction of land at the points of the grid; by default from Natural Earth on 2 degrees.

    Raises
    ------
    ScoreError
        If there is no such region, or a file cannot be read.

    >>> from data_pipeline.grid import Grid
    >>> region("tropics").contains(Grid.equiangular(5, 4, poles=True))[:, 0].tolist()
    [False, False, True, False, False]
    """
    parts = [_part(part.strip(), land) for part in name.split("&")]
    return Region(name, lambda grid: reduce(np.logical_and, (contains(grid) for contains in parts)))


def _part(name: str, land: NDArray[np.floating] | None) -> Callable[[Grid], Mask]:
    named: dict[str, Callable[[Grid], Mask]] = {
        **{box: partial(_in_box, bounds=bounds) for box, bounds in BOXES.items()},
        "extra-tropics": lambda grid: ~_in_box(grid, (-20 + 3 * EDGE, 20 - 3 * EDGE, -180, 180)),
        "land": lambda grid: _land(grid, land) >= 0.5,
        "sea": lambda grid: _land(grid, land) < 0.5,
    }
    kind, _, rest = name.partition(":")
    if name in named:
        return named[name]
    if kind in _WITH_ARGUMENTS:
        return _WITH_ARGUMENTS[kind](rest)
    raise ScoreError(
        f"unknown region {name!r}; expected one of {', '.join(named)}, band:SOUTH,NORTH, box:SOUTH,NORTH,WEST,EAST, "
        "polygon:FILE.geojson, stations:FILE.csv, or several joined by &; map, alone, is every point by itself"
    )


def _box(text: str) -> Callable[[Grid], Mask]:
    south, north, west, east = _numbers("box", text, "SOUTH,NORTH,WEST,EAST")
    return partial(_in_box, bounds=(south, north, west, east))


def _band(text: str) -> Callable[[Grid], Mask]:
    south, north = _numbers("band", text, "SOUTH,NORTH")
    return partial(_in_box, bounds=(south, north, -180.0, 180.0))


def _polygon(text: str) -> Callable[[Grid], Mask]:
    return partial(_in_rings, rings=_rings(Path(text)))


def _stations(text: str) -> Callable[[Grid], Mask]:
    return partial(_nearest, places=_places(Path(text)))


_WITH_ARGUMENTS = {"box": _box, "band": _band, "polygon": _polygon, "stations": _stations}
_OF_FILES = ("polygon", "stations")


def files_of_regions(names: Sequence[str]) -> list[str]:
    """The paths of the files that regions are read from.

    >>> files_of_regions(["global", "land&polygon:alps.geojson"])
    ['alps.geojson']
    """
    parts = [part.strip().partition(":") for name in names for part in name.split("&")]
    return [rest for kind, _, rest in parts if kind in _OF_FILES]


def _numbers(kind: str, text: str, expected: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != expected.count(",") + 1 or not -90 <= numbers[0] <= numbers[1] <= 90:
        raise ScoreError(f"got region {kind}:{text}, expected {kind}:{expected} in degrees, south before north")
    return numbers


def _in_box(grid: Grid, bounds: tuple[float, float, float, float]) -> Mask:
    south, north, west, east = bounds
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    rows = (latitude >= south - EDGE) & (latitude <= north + EDGE)
    width = 360.0 if east - west >= 360 else (east - west) % 360
    columns = (longitude - west + EDGE) % 360 <= width + 2 * EDGE
    return np.asarray(rows[:, None] & columns)


def land_of(truth: xr.Dataset) -> NDArray[np.floating] | None:
    """The truth's own land-sea mask (latitude, longitude), if it has one."""
    if "land_sea_mask" not in truth:
        return None
    mask = truth["land_sea_mask"]
    return (mask.isel(time=0) if "time" in mask.dims else mask).transpose("latitude", "longitude").values


def _land(grid: Grid, land: NDArray[np.floating] | None) -> NDArray[np.floating]:
    return land_fraction(np.asarray(grid.latitude), np.asarray(grid.longitude)) if land is None else land


def _rings(path: Path) -> list[Floats]:
    """Outlines (point, (longitude, latitude)) of all polygons of a GeoJSON file; holes are outlines too."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rings = [np.asarray(ring, dtype=np.float64)[:, :2] for ring in _outlines(found)]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ScoreError(f"{path} cannot be read as GeoJSON ({error}); expected polygons") from error
    if not rings:
        raise ScoreError(f"{path} holds no polygon; expected GeoJSON with a Polygon or MultiPolygon")
    return rings


def _outlines(node: dict[str, object]) -> list[object]:
    match node["type"]:
        case "FeatureCollection":
            return [ring for feature in node["features"] for ring in _outlines(feature)]  # type: ignore[attr-defined]
        case "Feature":
            return _outlines(node["geometry"])  # type: ignore[arg-type]
        case "Polygon":
            return list(node["coordinates"])  # type: ignore[call-overload, no-any-return]
        case "MultiPolygon":
            return [ring for polygon in node["coordinates"] for ring in polygon]  # type: ignore[attr-defined]
    return []


def _in_rings(grid: Grid, rings: Sequence[Floats]) -> Mask:
    """Points inside an odd number of outlines (even-odd rule on the latitude-longitude plane)."""
    latitude = np.asarray(grid.latitude)[:, None]
    inside = np.zeros(grid.shape, dtype=bool)
    for ring in rings:
        start, end = ring, np.roll(ring, -1, axis=0)
        middle = (ring[:, 0].min() + ring[:, 0].max()) / 2
        longitude = (np.asarray(grid.longitude)[None] - middle + 180) % 360 - 180 + middle
        for (x0, y0), (x1, y1) in zip(start.tolist(), end.tolist(), strict=True):
            if y0 != y1:
                crosses = (y0 > latitude) != (y1 > latitude)
                inside ^= crosses & (longitude < x0 + (latitude - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _places(path: Path) -> Floats:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ScoreError(f"{path} cannot be read ({error!r}); expected CSV with columns latitude, longitude") from error
    if not rows:
        raise ScoreError(f"{path} lists no station; expected a row for each")
    return np.asarray(rows, dtype=np.float64)


def _nearest(grid: Grid, places: Floats) -> Mask:
    """The grid point nearest to each place along both axes."""
    found = np.zeros(grid.shape, dtype=bool)
    rows = np.abs(np.asarray(grid.latitude)[:, None] - places[:, 0]).argmin(axis=0)
    apart = np.abs((np.asarray(grid.longitude)[:, None] - places[:, 1] + 180) % 360 - 180)
    found[rows, apart.argmin(axis=0)] = True
    return found
