"""The few points of a grid that the value at a place is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import Points, Regridder
from data_pipeline.regrid.bands import latitude_brackets, longitude_brackets
from evaluation.plots.places.place import degrees
from evaluation.tracks.sphere import KM_PER_DEGREE, distance

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.plots.places.place import Place

    Floats = NDArray[np.float64]

Method = Literal["bilinear", "cell"]
"""Linear in latitude and in longitude between four points; or the value of the cell that the place lies in."""


@dataclass(frozen=True)
class Neighbours:
    """Rows and columns of a grid about a place.

    ``grid`` has these points alone, its longitudes counted from the first of them, and ``point`` is the place there: so
    it does not matter where a file's longitudes begin. ``cell`` is the row and column of the point whose cell the place
    lies in, ``nearest`` its latitude and longitude, ``kilometres`` how far it is.
    """

    rows: slice
    columns: tuple[int, ...]
    grid: Grid
    point: Points
    cell: tuple[int, int]
    nearest: tuple[float, float]
    kilometres: float

    @classmethod
    def of(cls, grid: Grid, place: Place) -> Neighbours:
        """Those of two rows and two columns; beyond the last row before a pole, of all columns.

        Raises
        ------
        DataError
            If the place lies outside the grid.
        """
        north = latitude_brackets(grid, [place.latitude])
        east = longitude_brackets(grid, [place.longitude])
        if not (north.inside[0] and east.inside[0]):
            raise DataError(f"{place} is outside the forecast's {grid}; choose a place inside, or another forecast")
        lower, share, column = int(north.lower[0]), float(north.share[0]), int(east.lower[0])
        n_rows, n_columns = grid.shape
        polar = (lower == 0 and share < 1) or (lower == n_rows and share > 0)
        first = min(max(lower - 1, 0), n_rows - 2)
        columns = tuple(range(n_columns)) if polar else (column, (column + 1) % n_columns)
        longitude = np.asarray(grid.longitude)
        start = longitude[columns[0]]
        small = Grid(grid.latitude[first : first + 2], tuple(((longitude[list(columns)] - start) % 360).tolist()))
        gap = (longitude[(column + 1) % n_columns] - longitude[column]) % 360
        across = (longitude[column] - start) % 360 + float(east.share[0]) * gap
        return cls._about(place, grid, slice(first, first + 2), columns, small, Points((place.latitude,), (across,)))

    @classmethod
    def _about(
        cls, place: Place, grid: Grid, rows: slice, columns: tuple[int, ...], small: Grid, point: Points
    ) -> Neighbours:  # fmt: skip
        apart = np.abs((np.asarray(small.longitude) - point.longitude[0] + 180) % 360 - 180)
        cell = int(np.abs(np.asarray(small.latitude) - place.latitude).argmin()), int(apart.argmin())
        nearest = small.latitude[cell[0]], grid.longitude[columns[cell[1]]]
        far = KM_PER_DEGREE * float(distance(place.latitude, place.longitude, *nearest))
        return cls(rows, columns, small, point, cell, nearest, far)

    def cut(self, data: xr.Dataset) -> xr.Dataset:
        """Data on the whole grid at these points; lazily where they are lazy."""
        return data.isel(latitude=self.rows, longitude=list(self.columns))

    def value(self, fields: NDArray[np.floating], method: Method, *, vector: bool = False) -> Floats:
        """``fields`` (..., rows, columns) at the place, (...); components of a ``vector`` are such at the poles."""
        if method == "cell":
            return np.asarray(fields[(..., *self.cell)], dtype=np.float64)
        found = Regridder(self.grid, self.point, method="bilinear").regrid_array(fields, vector=vector)
        return np.asarray(found[..., 0], dtype=np.float64)

    @property
    def words(self) -> str:
        """Where the nearest point of the grid is."""
        return f"nearest grid point {degrees(*self.nearest)}, {self.kilometres:.0f} km away"
