"""Where the Earth has land, on 2 by 2 degrees: coarse enough to ship, fine enough to know a map by.

Made from Natural Earth (public domain) by ``data_pipeline.quality.land_raster``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ASSET = Path(__file__).with_name("land_mask.npy")
ROWS, COLUMNS = 90, 180
_DEGREES = 2.0
_SAMPLES = 4
"""Points per cell and direction whose mean is the cell's land."""


@cache
def _land() -> NDArray[np.float64]:
    """[latitude, longitude], north to south, from 0 degrees east; 1 on land, 0 on the sea."""
    bits = np.unpackbits(np.load(ASSET, allow_pickle=False), count=ROWS * COLUMNS)
    return bits.reshape(ROWS, COLUMNS).astype(np.float64)


def land_at(latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.float64]:
    """1 where there is land and 0 where there is sea, shape (latitudes, longitudes), at degrees of any order.

    >>> land_at([50.0, 0.0], [30.0, 330.0]).tolist()  # Ukraine, the Atlantic south of Iceland; Africa, the Atlantic
    [[1.0, 0.0], [1.0, 0.0]]
    """
    rows = np.floor((90.0 - np.asarray(latitude, dtype=np.float64)) / _DEGREES).astype(int)
    columns = np.floor(np.asarray(longitude, dtype=np.float64) / _DEGREES).astype(int)
    return np.asarray(_land()[np.ix_(np.clip(rows, 0, ROWS - 1), columns % COLUMNS)])


def land_fraction(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of land, 0..1, around each point of a grid, as far as half way to the next one."""
    (rows, down), (columns, across) = _spread(latitude), _spread(longitude)
    fine = land_at(rows, columns)
    return np.asarray(fine.reshape(latitude.size, down, longitude.size, across).mean(axis=(1, 3)))


def _spread(axis: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Points around each one, evenly over its cell, and how many: one where cells are finer than the mask's."""
    spacing = float(np.median(np.abs(np.diff(axis))))
    count = _SAMPLES if spacing > _DEGREES / 2 else 1
    offsets = (np.arange(count) + 0.5) / count - 0.5
    return np.asarray((axis[:, None] + spacing * offsets).ravel()), count
