"""Products of matrices that are the same to the bit on any number of threads, which those of BLAS are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

try:
    from evaluation.metrics.multiply import add_product
except ImportError:  # no compiler on this machine
    from evaluation.metrics.plain import add_product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def product(one: Floats, other: Floats) -> Floats:
    """``one @ other`` of (..., k) and (k, n), in float64 from the first term to the last; NaN stays NaN.

    >>> product(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])).tolist()
    [[13.0, 16.0]]
    """
    rows = np.ascontiguousarray(one.reshape(-1, one.shape[-1]), dtype=np.float64)
    found = np.zeros((len(rows), other.shape[1]))
    add_product(rows, np.ascontiguousarray(other, dtype=np.float64), found, lower=False)
    return found.reshape(*one.shape[:-1], other.shape[1])


def add_gram(rows: Floats, gram: Floats) -> None:
    """Add the lower triangle of ``rows @ rows.T``, of rows (m, n), to that of ``gram`` (m, m), in place.

    >>> gram = np.zeros((2, 2))
    >>> add_gram(np.array([[1.0, 2.0], [3.0, 4.0]]), gram)
    >>> gram.tolist()
    [[5.0, 0.0], [11.0, 25.0]]
    """
    add_product(np.ascontiguousarray(rows), np.ascontiguousarray(rows.T), gram, lower=True)
