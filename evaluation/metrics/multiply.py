"""The product of two matrices, compiled; its plain twin is in ``plain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba  # noqa: F401, where it is missing the plain twin is taken

from data_pipeline.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]


def add_product(one: Floats, other: Floats, found: Floats, *, lower: bool) -> None:
    """Add ``one @ other`` to ``found``, with ``lower`` its lower triangle only; all contiguous float64."""
    _add_product(one, other, found, lower)


@compiled
def _add_product(one: Any, other: Any, found: Any, lower: bool) -> None:
    """Four terms at a time, so that each row of ``found`` is loaded once for them."""
    fours = one.shape[1] // 4 * 4
    for row in range(one.shape[0]):
        stop = row + 1 if lower else other.shape[1]
        own = found[row, :stop]
        for term in range(0, fours, 4):
            a, b, c, d = one[row, term], one[row, term + 1], one[row, term + 2], one[row, term + 3]
            p, q, r, s = other[term, :stop], other[term + 1, :stop], other[term + 2, :stop], other[term + 3, :stop]
            for column in range(stop):
                own[column] += a * p[column] + b * q[column] + c * r[column] + d * s[column]
        for term in range(fours, one.shape[1]):
            for column in range(stop):
                own[column] += one[row, term] * other[term, column]
