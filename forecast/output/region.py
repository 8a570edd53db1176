"""A box of latitudes and longitudes, across the meridian of Greenwich or the date line where it lies so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ConfigError
from data_pipeline.grid import CIRCLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid

Box = tuple[float, float, float, float]
"""South, north, west, east in degrees; the east may be smaller than the west."""

_ROUNDING = 1e-6
_FEWEST = 2


@dataclass(frozen=True)
class Region:
    """Rows and columns of a grid, by position, with their coordinates in degrees; longitudes ascend without a jump."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    dims = ("latitude", "longitude")

    @classmethod
    def of(cls, grid: Grid, box: Box | None) -> Region:
        """The points of ``grid`` in ``box``, its edges included; all of them without a box.

        Raises
        ------
        ConfigError
            If fewer than 2 rows or columns are.
        """
        south, north, west, east = box or (-90.0, 90.0, 0.0, CIRCLE)
        latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
        rows = np.flatnonzero((latitude >= south - _ROUNDING) & (latitude <= north + _ROUNDING))
        columns, degrees = _columns(longitude, west, east)
        if min(rows.size, columns.size) < _FEWEST:
            raise ConfigError(
                f"the region {south:g}..{north:g} N, {west:g}..{east:g} E holds {rows.size}x{columns.size} points of "
                f"the {grid}, expected 2x2 or more; widen it, or ask for points"
            )
        return cls(
            tuple(rows.tolist()), tuple(columns.tolist()), tuple(latitude[rows].tolist()), tuple(degrees.tolist())
        )

    @property
    def places(self) -> dict[str, tuple[float, ...]]:
        """Coordinates along both dimensions."""
        return {"latitude": self.latitude, "longitude": self.longitude}

    @property
    def shape(self) -> tuple[int, ...]:
        """(number of rows, number of columns)."""
        return len(self.rows), len(self.columns)

    def cut(self, states: NDArray[np.float32], channels: Channels) -> NDArray[np.float32]:
        """``states`` (..., latitude, longitude) in the box."""
        rows, columns = map(range, states.shape[-2:])
        if self.rows == tuple(rows) and self.columns == tuple(columns):
            return np.ascontiguousarray(states, np.float32)
        return np.ascontiguousarray(states[..., np.asarray(self.rows)[:, None], np.asarray(self.columns)], np.float32)


def _columns(longitude: NDArray[np.float64], west: float, east: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Positions from west to east, and ascending longitudes; those that cross Greenwich start below 0 or end above 360.

    >>> [values.tolist() for values in _columns(np.array([0.0, 90.0, 180.0, 270.0]), -90, 90)]
    [[3, 0, 1], [-90.0, 0.0, 90.0]]
    >>> [values.tolist() for values in _columns(np.array([0.0, 90.0, 180.0, 270.0]), 90, 0)]
    [[1, 2, 3, 0], [90.0, 180.0, 270.0, 360.0]]
    """
    width = CIRCLE if east - west >= CIRCLE else (east - west) % CIRCLE
    if width == CIRCLE:
        return np.arange(longitude.size), longitude
    beyond = (longitude - west + _ROUNDING) % CIRCLE
    columns = np.argsort(beyond)[: np.count_nonzero(beyond <= width + 2 * _ROUNDING)]
    degrees = longitude[columns]
    after = np.cumsum(np.diff(degrees, prepend=degrees[:1]) < 0) > 0
    if not after.any():
        return columns, degrees
    return columns, np.where(after, degrees, degrees - CIRCLE) if degrees[0] >= CIRCLE / 2 else degrees + CIRCLE * after
