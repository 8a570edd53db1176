"""The values on the poles of a grid that has no row there.

A scalar has one value at a pole: the mean of the row next to it. The components of a horizontal vector do not: one
vector, seen from a meridian ``longitude``, has components that go once round the circle (a cosine and a sine of
longitude) as the meridian turns. Nothing else is a vector at the pole, so the pole's row is the part of wavenumber 1
of the row next to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]


def polar_rows(fields: NDArray[Any], grid: Grid, *, vector: bool) -> Floats:
    """Rows on the north and the south pole, shape (field, 2, longitude), of ``fields`` (field, latitude, longitude).

    Each is the constant (for the component of a ``vector``: the wave of number 1) that fits the outermost row best.
    It is missing (NaN) where a value of that row is missing.
    """
    outermost = fields[:, [0, -1]].astype(np.float64)
    outermost[~np.isfinite(outermost).all(axis=2)] = np.nan
    angle = np.deg2rad(grid.longitude)
    basis = np.stack([np.cos(angle), np.sin(angle)] if vector else [np.ones_like(angle)], axis=1)
    return np.asarray(outermost @ np.linalg.pinv(basis).T @ basis.T)
