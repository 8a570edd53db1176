"""Means and maxima over neighbourhoods of a sphere: all points within a great-circle distance, whatever the grid.

At a row of the grid, a neighbourhood is a window of columns, wider towards the poles, where it can be the whole ring.
Sums over windows are differences of running sums; maxima are those of two windows whose width is a power of two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.sphere import EARTH_RADIUS

try:
    from evaluation.metrics.windows import add_sums, raise_to_maxima
except ImportError:  # no compiler on this machine
    from evaluation.metrics.plain import add_sums, raise_to_maxima

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats, Numbers

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


def add_windows(pooled: Floats, row: Floats, widths: Widths, *, periodic: bool) -> None:
    """Add to ``pooled`` (field, centre row, column) the sums of ``row`` (field, column) over its windows."""
    columns, reach = row.shape[-1], int(widths.max())
    running = np.zeros((len(row), columns + 2 * reach + 1))
    np.cumsum(_padded(row, reach, periodic, 0.0), axis=-1, out=running[:, 1:])
    add_sums(pooled, running, widths, reach, columns // 2 if periodic else columns)


def raise_to_windows(pooled: Numbers, row: Numbers, widths: Widths, *, periodic: bool) -> None:
    """As ``add_windows``, but with the largest of what is there already and of the window; NaN is not expected."""
    reach, length = int(widths.max()), 1
    table = _padded(row, reach, periodic, -np.inf)
    while True:
        raise_to_maxima(pooled, table, widths, reach, length)
        if 2 * length > 2 * reach + 1:
            return
        table = np.maximum(table[:, :-length], table[:, length:])
        length *= 2


def _padded(row: Numbers, reach: int, periodic: bool, fill: float) -> Numbers:
    """With ``reach`` columns more on either side: those beyond the date line, or ``fill`` where the grid ends."""
    if reach == 0:
        return row
    if periodic:
        return np.concatenate([row[:, -reach:], row, row[:, :reach]], axis=-1)
    return np.pad(row, ((0, 0), (reach, reach)), constant_values=fill)
