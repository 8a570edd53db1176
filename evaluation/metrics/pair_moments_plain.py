"""Mean and scatter over members of the difference between two places, without a compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]


def pair_moments(members: Numbers, rows: slice, down: int, east: int, order: float) -> tuple[Floats, Floats]:
    """Of ``v_i = |x_i(row, column) - x_i(row + down, column + east)|^order``: mean, and sum of squares about it.

    Members (M, row, column), columns go around; both results (rows, column), NaN where a member is.

    >>> mean, squares = pair_moments(np.array([[[0.0, 4.0]], [[0.0, 0.0]]]), slice(0, 1), 0, 1, 0.5)
    >>> mean.tolist(), squares.tolist()
    ([[1.0, 1.0]], [[2.0, 2.0]])
    """
    total, squares = np.zeros((2, rows.stop - rows.start, members.shape[2]))
    for member in members:
        total += _differences(member, rows, down, east, order)
    mean = total / len(members)
    for member in members:
        squares += np.square(_differences(member, rows, down, east, order) - mean)
    return mean, squares


def _differences(field: Numbers, rows: slice, down: int, east: int, order: float) -> Floats:
    far = np.roll(field[rows.start + down : rows.stop + down], -east, axis=-1)
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN
        return np.asarray(np.abs(np.subtract(field[rows], far, dtype=np.float64)) ** order)
