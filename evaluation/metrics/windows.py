"""Sums and maxima over windows of columns, compiled: what is added to stays in the cache."""

from __future__ import annotations

from typing import Any

import numba  # noqa: F401, where it is missing the plain twin is taken
import numpy as np

from data_pipeline.compiled import compiled


@compiled
def run_up(fields: Any, shift: Any, counted: Any, periodic: bool, running: Any) -> None:
    """Fill ``running`` (field, row, column) with sums of all before a column of ``fields`` less the ``shift``.

    What is not ``counted`` (row, column) is zero, and so is what is beyond the edge of a grid that is not periodic;
    ``running`` has one column more than the fields, and on either side as many again as it goes beyond the edge.
    """
    columns = fields.shape[2]
    reach = (running.shape[2] - columns - 1) // 2
    for field in range(fields.shape[0]):
        for row in range(fields.shape[1]):
            values, about, there, own = fields[field, row], shift[row], counted[row], running[field, row]
            total = 0.0
            own[reach] = total
            for column in range(columns):
                total += np.float64(values[column]) - np.float64(about[column]) if there[column] else 0.0
                own[reach + 1 + column] = total
            for beyond in range(reach):
                own[beyond] = own[beyond + columns] - total if periodic else 0.0
                own[reach + 1 + columns + beyond] = total + (own[reach + 1 + beyond] if periodic else 0.0)


@compiled
def sum_windows(running: Any, widths: Any, areas: Any, whole: int, found: Any) -> None:
    """Fill ``found`` (field, centre, column) with sums over the windows of all rows, each row times its area.

    ``running`` (field, row, column) is that of ``run_up``, beyond the edge at least as far as the widest window goes;
    a centre's window in a row has ``widths`` (centre, row) columns on either side of its own, none if negative, all if
    ``whole`` or more.
    """
    columns = found.shape[2]
    reach = (running.shape[2] - columns - 1) // 2
    for field in range(found.shape[0]):
        for centre in range(found.shape[1]):
            target = found[field, centre]
            target[:] = 0.0
            for row in range(widths.shape[1]):
                width, area = widths[centre, row], areas[row]
                if width >= whole:
                    total = area * (running[field, row, reach + columns] - running[field, row, reach])
                    for column in range(columns):
                        target[column] += total
                elif width >= 0:
                    before = running[field, row, reach - width : reach - width + columns]
                    until = running[field, row, reach + width + 1 : reach + width + 1 + columns]
                    for column in range(columns):
                        target[column] += area * (until[column] - before[column])


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
