"""A place on the Earth: its coordinates, its name, and how both are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, POLE
from data_pipeline.stations import read_stations
from evaluation.plots.titles import number

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LISTED = 12


@dataclass(frozen=True)
class Place:
    """Degrees; the altitude, in metres above mean sea level, is what a list of stations says."""

    latitude: float
    longitude: float
    name: str = ""
    altitude: float | None = None

    def __post_init__(self) -> None:
        if not (abs(self.latitude) <= POLE and abs(self.longitude) <= CIRCLE):  # NaN fails every comparison
            raise DataError(
                f"got the place {self.latitude:g},{self.longitude:g}, expected latitude,longitude in degrees, within "
                "+-90 and +-360"
            )

    @property
    def coordinates(self) -> str:
        """As people write them, e.g. ``'48.2° N 16.4° E'``."""
        return degrees(self.latitude, self.longitude)

    def __str__(self) -> str:
        return f"{self.name}, {self.coordinates}" if self.name else self.coordinates


def degrees(latitude: float, longitude: float) -> str:
    """Latitude and longitude, from 180 W to 180 E, to a hundredth of a degree.

    >>> degrees(-18.1, 181.5), degrees(90.0, 0.0)
    ('18.1° S 178.5° W', '90° N 0° E')
    """
    east = 180 - (180 - longitude) % 360
    parts = ((latitude, "N" if latitude >= 0 else "S"), (east, "E" if east >= 0 else "W"))
    return " ".join(f"{number(round(abs(value), 2))}° {side}" for value, side in parts)


def coordinates_in(text: str) -> tuple[float, float] | None:
    """Latitude and longitude in a text such as ``48.2,16.4``; None of one that is a name.

    >>> coordinates_in("-18.1, 178.4"), coordinates_in("Vienna"), coordinates_in("Nice, France")
    ((-18.1, 178.4), None, None)
    """
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return latitude, longitude


def place_at(text: str, stations: Path | None) -> Place:
    """The place that ``--at`` names: ``LATITUDE,LONGITUDE`` in degrees, or the name of a station in a list.

    Raises
    ------
    DataError
        If it is neither, is not on the globe, or the list cannot be read.
    """
    found = coordinates_in(text)
    if found is not None:
        return Place(*found)
    if stations is None:
        raise DataError(
            f"got --at {text}, expected LATITUDE,LONGITUDE in degrees, as in 48.2,16.4, or a name together with "
            "--stations FILE.csv"
        )
    names, points, altitude = read_stations(stations)
    position = position_of(text, names, str(stations))
    high = None if altitude is None else altitude[position]
    return Place(points.latitude[position], points.longitude[position], names[position], high)


def position_of(name: str, names: tuple[str, ...], where: str) -> int:
    """Where the name stands; capital letters do not matter.

    Raises
    ------
    DataError
        If it is not there; the message lists those that are.
    """
    folded = [own.casefold() for own in names]
    if name in names:
        return names.index(name)
    if folded.count(name.casefold()) != 1:
        more = ", ..." if len(names) > _MOST_LISTED else ""
        raise DataError(f"{where} has no station {name!r}; it has {', '.join(names[:_MOST_LISTED])}{more}")
    return folded.index(name.casefold())
