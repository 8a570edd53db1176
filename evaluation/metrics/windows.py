"""Sums and maxima over windows of columns, compiled: each field's row stays in the cache while centres take from it."""

from __future__ import annotations

from typing import Any

from data_pipeline.compiled import compiled


@compiled
def add_sums(pooled: Any, running: Any, widths: Any, reach: int, whole: int) -> None:
    """Add sums over windows to ``pooled`` (field, centre, column).

    ``running`` (field, column) sums all before a column of rows that were padded with ``reach`` columns on either side;
    a centre's window has ``widths`` columns on either side of its own, none if negative, all if ``whole`` or more.
    """
    columns = pooled.shape[2]
    for field in range(pooled.shape[0]):
        for centre in range(pooled.shape[1]):
            width, target = widths[centre], pooled[field, centre]
            if width >= whole:
                total = running[field, reach + columns] - running[field, reach]
                for column in range(columns):
                    target[column] += total
            elif width >= 0:
                before = running[field, reach - width : reach - width + columns]
                until = running[field, reach + width + 1 : reach + width + 1 + columns]
                for column in range(columns):
                    target[column] += until[column] - before[column]


@compiled
def raise_to_maxima(pooled: Any, table: Any, widths: Any, reach: int, length: int) -> None:
    """Raise ``pooled`` (field, centre, column) to the maxima over windows of ``length`` to twice as many columns.

    ``table`` (field, column) has the largest of ``length`` columns from each on, padded with ``reach`` columns.
    """
    columns = pooled.shape[2]
    for field in range(pooled.shape[0]):
        for centre in range(pooled.shape[1]):
            width = widths[centre]
            if width < 0 or not length <= 2 * width + 1 < 2 * length:
                continue
            target, second = pooled[field, centre], reach + width + 1 - length
            lefts, rights = table[field, reach - width :], table[field, second : second + columns]
            for column in range(columns):
                left, right, held = lefts[column], rights[column], target[column]
                largest = left if left > right else right  # noqa: FURB136, min and max are not vectorised
                target[column] = largest if largest > held else held  # noqa: FURB136
