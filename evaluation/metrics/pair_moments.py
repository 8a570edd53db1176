"""Mean and scatter over members of the difference between two places, compiled; see ``pair_moments_plain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba  # noqa: F401, where it is missing the plain twin is taken
import numpy as np

from data_pipeline.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]

TILE = 64


def pair_moments(members: Numbers, rows: slice, down: int, east: int, order: float) -> tuple[Floats, Floats]:
    """As in ``pair_moments_plain``."""
    found = np.empty((2, rows.stop - rows.start, members.shape[2]))
    _fill_moments(members, rows.start, down, east, order, found)
    return found[0], found[1]


@compiled
def _fill_moments(members: Any, first: int, down: int, east: int, order: float, found: Any) -> None:
    tile = np.empty((members.shape[0], TILE))
    for row in range(found.shape[1]):
        for start in range(0, members.shape[2], TILE):
            size = min(TILE, members.shape[2] - start)
            _fill_tile(members, first + row, down, start, east, size, tile)
            _raise_tile(tile, order)
            _moments_of_tile(tile, size, found[0, row, start : start + size], found[1, row, start : start + size])


@compiled
def _fill_tile(members: Any, row: int, down: int, start: int, east: int, size: int, tile: Any) -> None:
    columns = members.shape[2]
    for member in range(members.shape[0]):
        for column in range(size):
            other = start + column + east
            if other >= columns:
                other -= columns
            near, far = members[member, row, start + column], members[member, row + down, other]
            tile[member, column] = abs(np.float64(near) - np.float64(far))


@compiled
def _raise_tile(tile: Any, order: float) -> None:
    for member in range(tile.shape[0]):
        for column in range(TILE):
            tile[member, column] = np.sqrt(tile[member, column]) if order == 0.5 else tile[member, column] ** order


@compiled
def _moments_of_tile(tile: Any, size: int, mean: Any, squares: Any) -> None:
    mean[:] = 0.0
    squares[:] = 0.0
    for member in range(tile.shape[0]):
        for column in range(size):
            mean[column] += tile[member, column]
    for column in range(size):
        mean[column] /= tile.shape[0]
    for member in range(tile.shape[0]):
        for column in range(size):
            squares[column] += (tile[member, column] - mean[column]) ** 2
