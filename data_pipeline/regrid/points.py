"""A list of points as a target: stations, or the nodes of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, POLE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Points:
    """Any points of the sphere, in degrees; longitudes from -180 or from 0, as the user likes them.

    >>> Points((52.4, -90.0), (-1.25, 0.0)).shape
    (2,)
    """

    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    dimension = "point"

    def __post_init__(self) -> None:
        latitude, longitude = np.asarray(self.latitude), np.asarray(self.longitude)
        if latitude.size == 0 or latitude.shape != longitude.shape or latitude.ndim != 1:
            raise DataError(
                f"got {latitude.size} latitudes and {longitude.size} longitudes, expected one of each for every point"
            )
        wrong = np.flatnonzero(~((np.abs(latitude) <= POLE) & (np.abs(longitude) <= CIRCLE)))  # NaN is wrong too
        if wrong.size:
            got = f"latitude {latitude[wrong[0]]:g}, longitude {longitude[wrong[0]]:g} of point {wrong[0] + 1}"
            raise DataError(
                f"points need latitudes within +-90 and longitudes within +-360, got {got}; give both in degrees"
            )

    @property
    def shape(self) -> tuple[int]:
        """(number of points,)."""
        return (len(self.latitude),)

    @property
    def coordinates(self) -> dict[str, tuple[str, NDArray[np.float64]]]:
        """Latitude and longitude along the dimension ``point``, as a dataset takes them."""
        return {
            "latitude": (self.dimension, np.asarray(self.latitude, dtype=np.float64)),
            "longitude": (self.dimension, np.asarray(self.longitude, dtype=np.float64)),
        }

    def __str__(self) -> str:
        return f"list of {len(self.latitude)} points"
