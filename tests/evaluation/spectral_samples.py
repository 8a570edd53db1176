"""Fields on grids of every kind, whose spectra are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import sph_harm_y

if TYPE_CHECKING:
    from data_pipeline.grid import Grid


def harmonic(grid: Grid, degree: int, order: int) -> np.ndarray:
    """Real, with mean square 1 over the sphere."""
    lat, lon = np.deg2rad(np.asarray(grid.latitude))[:, None], np.deg2rad(np.asarray(grid.longitude))
    found = np.sqrt(4 * np.pi) * sph_harm_y(degree, order, np.pi / 2 - lat, 0.0).real * np.cos(order * lon)
    return np.sqrt(2) * found if order else found
