"""The weights of a method from a source to a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid.bands import (
    band,
    latitude_brackets,
    latitude_overlaps,
    longitude_brackets,
    longitude_overlaps,
)
from data_pipeline.regrid.healpix import HealpixGrid
from data_pipeline.regrid.healpix_overlap import healpix_overlaps
from data_pipeline.regrid.kernels import Separable, Sparse
from data_pipeline.regrid.points import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.regrid.bands import Band, Brackets


def require_cells(source: Grid, target: Grid | HealpixGrid | Points) -> None:
    """Raise a DataError unless both sides have cells that cover the sphere, as conservative regridding needs."""
    for role, grid in (("source", source), ("target", target)):
        if isinstance(grid, Points):
            raise DataError(f"conservative regridding needs cells, got a {grid}; take the method 'bilinear'")
        if isinstance(grid, Grid) and not grid.is_global:
            raise DataError(f"conservative regridding needs a global {role} grid, got the {grid}")


def conservative_weights(source: Grid, target: Grid | HealpixGrid) -> Separable | Sparse:
    """Shares of the source's cells in the area of the target's; both cover the sphere."""
    if isinstance(target, HealpixGrid):
        return healpix_overlaps(source, target)
    rows, columns = latitude_overlaps(source, target), longitude_overlaps(source, target)
    return Separable(rows, np.zeros((rows.first.size, 2)), columns)


def bilinear_weights(source: Grid, target: Grid | HealpixGrid | Points) -> Separable | Sparse:
    """Interpolation between four neighbours, linear in latitude and in longitude."""
    if isinstance(target, Grid):
        rows, poles = _rows_and_poles(latitude_brackets(source, target.latitude), source.shape[0])
        brackets = longitude_brackets(source, target.longitude)
        return Separable(rows, poles, band(brackets.lower, brackets.weights))
    coordinates = target.coordinates
    return _at_points(source, coordinates["latitude"][1], coordinates["longitude"][1])


def _rows_and_poles(brackets: Brackets, n_rows: int) -> tuple[Band, NDArray[np.float64]]:
    """Weights of the source's own rows, and of the rows on the poles (targets, 2)."""
    north, south = brackets.lower == 0, brackets.lower == n_rows
    poles = brackets.weights * np.stack([north, south], axis=1)
    own = np.where(north[:, None], brackets.weights[:, ::-1], brackets.weights)
    own[north | south, 1] = 0
    return band(np.maximum(brackets.lower - 1, 0), own), poles


def _at_points(source: Grid, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> Sparse:
    n_rows, n_columns = source.shape
    rows, columns = latitude_brackets(source, latitude), longitude_brackets(source, longitude)
    row = np.stack([rows.lower, rows.lower + 1], axis=1)
    row = np.where((row == 0) | (row > n_rows), n_rows + (row > 0), row - 1)  # the poles' rows come last
    column = np.stack([columns.lower, columns.lower + 1], axis=1) % n_columns
    indices = row[:, :, None] * n_columns + column[:, None, :]
    weights = rows.weights[:, :, None] * columns.weights[:, None, :]
    used = weights > 0
    offsets = np.concatenate([[0], np.cumsum(used.sum(axis=(1, 2)))])
    return Sparse(offsets, indices[used].astype(np.int32), weights[used])
