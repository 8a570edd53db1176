"""Two fields on one grid: cut out where one grid is part of the other, else regridded conservatively."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import COORDINATE_TOLERANCE, Grid

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


def shared_grid(one: Grid, other: Grid) -> Grid:
    """The one that is part of the other, else the one with fewer points."""
    if _places(one, other) is not None:
        return one
    if _places(other, one) is not None:
        return other
    return min(one, other, key=lambda grid: grid.shape[0] * grid.shape[1])


def onto(dataset: xr.Dataset, grid: Grid) -> xr.Dataset:
    """A run or states on ``grid``, field by field as they are read.

    Raises
    ------
    DataError
        If ``grid`` is no part of the dataset's, and either does not cover the globe.
    """
    own = Grid.of(dataset)
    places = _places(grid, own)
    if places is not None:
        rows, columns = places
        # Positions are all of them on equal grids, where nothing must be moved.
        cut = dataset if own.shape == grid.shape else dataset.isel(latitude=rows, longitude=columns)
        return cut.assign_coords(grid.coordinates)
    from evaluation.alignment import on_grid

    try:
        return on_grid(dataset, grid)
    except ScoreError as error:
        raise DataError(
            f"fields on a {own} cannot be brought on to a {grid}: conservative regridding needs two grids of the whole "
            "globe; give both on one grid"
        ) from error


def _places(part: Grid, whole: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Positions in ``whole`` of the rows and columns of ``part``; None if it lacks one."""
    rows = _positions(np.asarray(part.latitude), np.asarray(whole.latitude))
    columns = _positions(np.asarray(part.longitude), np.asarray(whole.longitude))
    return None if rows is None or columns is None else (rows, columns)


def _positions(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.intp] | None:
    apart = np.abs(part[:, None] - whole)
    nearest = apart.argmin(axis=1)
    return nearest if (apart.min(axis=1) <= COORDINATE_TOLERANCE).all() else None
