"""Means and maxima over neighbourhoods of a sphere: all points within a great-circle distance, whatever the grid.

At a row of the grid, a neighbourhood is a window of columns, wider towards the poles, where it can be the whole ring.
Sums over windows are differences of running sums; maxima are those of two windows whose width is a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.sphere import EARTH_RADIUS

try:
    from evaluation.metrics.windows import raise_to_maxima, run_up, sum_windows
except ImportError:  # no compiler on this machine
    from evaluation.metrics.plain import raise_to_maxima, run_up, sum_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats, Numbers

    Flags = NDArray[np.bool_]
    Widths = NDArray[np.int64]

_TOLERANCE = 1e-9
"""Of columns, and of the squared sine of half the radius, by which a point may be beyond the edge: rounding."""
_UNEVEN = 1e-3
"""Degrees by which spacings of columns may differ."""


def half_widths(grid: Grid, diameter_km: float, centres: slice) -> Widths:
    """Columns on either side of a centre that are within half the diameter of it: (centre row, row), -1 for none.

    The half of the number of columns, rounded down, stands for the whole ring.

    Raises
    ------
    ScoreError
        If the columns are not evenly spaced.

    >>> from data_pipeline.grid import Grid
    >>> half_widths(Grid.equiangular(5, 8, poles=True), 10_100, slice(0, 3)).tolist()
    [[4, 4, -1, -1, -1], [4, 1, 0, -1, -1], [-1, 0, 1, 0, -1]]
    """
    spacing = np.diff(grid.longitude)
    if np.ptp(spacing) > _UNEVEN:
        raise ScoreError(
            f"pooled scores need evenly spaced longitudes, got spacings of {spacing.min():g} to {spacing.max():g} "
            "degrees; regrid, or leave these scores out"
        )
    columns = len(grid.longitude)
    latitude = np.deg2rad(grid.latitude)
    centre = latitude[centres, None]
    radius = diameter_km * 500 / EARTH_RADIUS
    reach = (1 + _TOLERANCE) * np.sin(radius / 2) ** 2 if radius < np.pi else 2.0
    rest = reach - np.sin((latitude - centre) / 2) ** 2  # haversine formula
    circles = np.maximum(np.cos(latitude) * np.cos(centre), 1e-30)
    angle = 2 * np.arcsin(np.sqrt(np.clip(rest / circles, 0, 1)))
    width = np.floor(np.rad2deg(angle) / spacing.mean() + _TOLERANCE).astype(np.int64)
    widest = columns // 2 if grid.is_periodic else columns - 1
    return np.where(rest >= 0, np.minimum(width, widest), -1)


@dataclass(frozen=True)
class Discs:
    """The discs about all points of some rows of a grid: windows of columns in the rows that they reach.

    ``widths`` are those of ``half_widths`` (centre row, row) in ``rows``, ``areas`` of a point of each of these.
    """

    rows: slice
    widths: Widths
    areas: Floats
    whole: int
    """The width from which on a window is the whole ring."""
    periodic: bool

    @classmethod
    def about(cls, grid: Grid, diameter_km: float, centres: slice) -> Discs:
        """Those of the centres in rows of a grid; a ScoreError if its columns are not evenly spaced."""
        widths, columns = half_widths(grid, diameter_km, centres), len(grid.longitude)
        reached = np.flatnonzero(widths.max(axis=0) >= 0)
        rows = slice(int(reached[0]), int(reached[-1]) + 1)
        whole = columns // 2 if grid.is_periodic else columns
        return cls(rows, widths[:, rows], grid.area_weights()[rows], whole, grid.is_periodic)

    def sums(self, fields: NDArray[Any], counted: Flags | None = None, shift: Numbers | None = None) -> Floats:
        """Sums over the discs, weighted by area, of fields (field, row, column) in ``rows``: (field, centre, column).

        The ``shift`` (row, column) is subtracted first, in float64; what is not ``counted`` (row, column) is zero.
        Fields of whole numbers whose sum over a row of a disc is zero add nothing at all, not even by rounding.
        """
        count, rows, columns = fields.shape
        reach = int(self.widths[self.widths < self.whole].max(initial=0))
        running = np.empty((count, rows, columns + 2 * reach + 1))
        counted = np.ones((rows, columns), dtype=bool) if counted is None else counted
        shift = np.zeros((rows, columns)) if shift is None else shift
        run_up(fields, shift, counted, self.periodic, running)
        found = np.empty((count, len(self.widths), columns))
        sum_windows(running, self.widths, self.areas, self.whole, found)
        return found

    def maxima(self, fields: Numbers) -> Numbers:
        """The largest values in the discs of fields (field, row, column) in ``rows``, without NaN."""
        found = np.full((len(fields), len(self.widths), fields.shape[-1]), -np.inf, fields.dtype)
        for place, widths in enumerate(self.widths.T):
            self._raise_to_row(found, fields[:, place], widths)
        return found

    def _raise_to_row(self, found: Numbers, row: Numbers, widths: Widths) -> None:
        """With windows of one row (field, column), as maxima of tables whose length doubles."""
        reach, length = int(widths.max()), 1
        table = self._padded(row, reach)
        while True:
            raise_to_maxima(found, table, widths, reach, length)
            if 2 * length > 2 * reach + 1:
                return
            table = np.maximum(table[:, :-length], table[:, length:])
            length *= 2

    def _padded(self, fields: Numbers, reach: int) -> Numbers:
        """With columns more on either side: those beyond the date line, or minus infinity where the grid ends."""
        if reach == 0:
            return fields
        if self.periodic:
            return np.concatenate([fields[:, -reach:], fields, fields[:, :reach]], axis=-1)
        return np.pad(fields, ((0, 0), (reach, reach)), constant_values=-np.inf)
