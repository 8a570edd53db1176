"""The points of a grid with their neighbours: round the date line, and across the poles where it reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.compiled import compiled
from evaluation.tracks.sphere import angles, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.tracks.sphere import Floats

    Places = NDArray[np.int64]

OUTSIDE = -1
"""Stands for a neighbour beyond the edge of a grid that does not cover the globe."""


@dataclass(frozen=True)
class Mesh:
    """A grid's points, counted row by row from the north-west."""

    grid: Grid

    @cached_property
    def vectors(self) -> Floats:
        """(point, 3)."""
        latitude, longitude = np.meshgrid(self.grid.latitude, self.grid.longitude, indexing="ij")
        return unit_vectors(latitude.ravel(), longitude.ravel())

    @cached_property
    def spacing(self) -> float:
        """The larger of the distances between rows and between columns at the equator, in degrees."""
        return float(max(-np.diff(self.grid.latitude).min(), np.diff(self.grid.longitude).max()))

    @cached_property
    def neighbours(self) -> Places:
        """The eight around each point (point, 8); ``OUTSIDE`` where there is none.

        Across a pole, the neighbour in the same row half way round; those of a point on the pole are, beside the other
        points on it, the three in the next row.
        """
        rows, columns = np.indices(self.grid.shape)
        ways = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        return np.stack([self._point(rows + dy, columns + dx).ravel() for dy, dx in ways], axis=-1)

    def _point(self, rows: Places, columns: Places) -> Places:
        height, width = self.grid.shape
        over = (rows < 0) | (rows >= height)
        inside = (columns >= 0) & (columns < width) | self.grid.is_periodic
        if self.grid.is_global:
            columns = np.where(over, columns + width // 2, columns)
            rows = np.clip(rows, 0, height - 1)
        else:
            inside &= ~over
        return np.asarray(np.where(inside, rows * width + columns % width, OUTSIDE))

    def within(self, point: int, degrees: float) -> Places:
        """Points at most so far from a point, itself among them, ascending."""
        width = self.grid.shape[1]
        latitude = np.asarray(self.grid.latitude)
        rows = np.flatnonzero(np.abs(latitude - latitude[point // width]) <= degrees + 1e-9)
        band = slice(int(rows[0]) * width, (int(rows[-1]) + 1) * width)
        near = np.flatnonzero(angles(self.vectors[band], self.vectors[point]) <= degrees + 1e-9) + band.start
        return np.asarray(near, dtype=np.int64)

    def once(self, points: Places) -> Places:
        """Without the copies of a pole, which is one place in as many columns."""
        width = self.grid.shape[1]
        polar = np.abs(np.asarray(self.grid.latitude)) > 90 - 1e-9
        return np.asarray(points[~polar[points // width] | (points % width == 0)])


def minima(field: Floats, mesh: Mesh) -> Places:
    """Points of a field (point) no higher than all their neighbours, which they must have; a pole counts once."""
    around = np.where(mesh.neighbours == OUTSIDE, -np.inf, field[mesh.neighbours])
    lowest = (field <= around.min(axis=1)).reshape(mesh.grid.shape)
    for row in np.flatnonzero(np.abs(np.asarray(mesh.grid.latitude)) > 90 - 1e-9):
        lowest[row] = lowest[row].all()
    return mesh.once(np.flatnonzero(lowest))


def is_enclosed(field: Floats, start: int, rise: float, degrees: float, mesh: Mesh) -> bool:
    """Whether a closed contour ``rise`` above the value at ``start`` lies within so many degrees of it.

    The closed-contour criterion of TempestExtremes (Ullrich and Zarzycki 2017, doi:10.5194/gmd-10-1069-2017): all
    points that can be reached from ``start`` below that value are so near. False if the edge of the grid is
    reached.
    """
    cosine = np.cos(np.deg2rad(degrees))
    return bool(_is_enclosed(field, start, field[start] + rise, cosine, mesh.vectors, mesh.neighbours))


@compiled
def _is_enclosed(
    field: Floats, start: int, limit: float, cosine: float, vectors: Floats, neighbours: Places
) -> bool:  # pragma: no cover - compiled
    seen = {start}
    todo = [start]
    while len(todo) > 0:
        point = todo.pop()
        for near in neighbours[point]:
            if near < 0:
                return False
            if near in seen or not field[near] < limit:
                continue
            product = 0.0
            for axis in range(3):
                product += vectors[near, axis] * vectors[start, axis]
            if product < cosine:
                return False
            seen.add(near)
            todo.append(near)
    return True
