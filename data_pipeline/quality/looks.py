"""One look at every field of a state: range, mean and change since the state before, in one compiled pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.compiled import compiled, compiled_sums

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


class Look(NamedTuple):
    """What one field of a state is like. ``low``, ``high`` and ``mean`` are of the values that are not NaN.

    ``mean`` and ``rms`` are area-weighted; ``rms`` and ``largest`` are of the change since the state before, with the
    ``position`` (along the flattened field) of one that large; ``same`` is whether nothing changed.
    """

    missing: bool
    low: float
    high: float
    mean: float
    rms: float
    largest: float
    position: int
    same: bool


def look_at(state: NDArray[np.float32], before: NDArray[np.float32], weights: NDArray[np.float64]) -> list[Look]:
    """Looks at the fields of ``state`` (channel, latitude, longitude); ``weights`` of the latitudes sum to 1."""
    found = np.empty((len(state), len(Look._fields)))
    _look(np.ascontiguousarray(state), before, weights, found)
    return [
        Look(bool(missing), low, high, mean, rms, largest, int(position), bool(same))
        for missing, low, high, mean, rms, largest, position, same in found.tolist()
    ]


@compiled
def _look(state: Any, before: Any, weights: Any, found: Any) -> None:
    columns = state.shape[2]
    low, high, largest = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    for channel in range(state.shape[0]):
        low[:], high[:], largest[:] = np.inf, -np.inf, 0.0
        count, area, total, squares, equal = 0, 0.0, 0.0, 0.0, 0
        for row in range(state.shape[1]):
            values, old = state[channel, row], before[channel, row]
            row_count, row_total = _sum_row(values)
            row_squares, row_equal = _compare_row(values, old)
            _range_of_row(values, old, low, high, largest)
            count += row_count
            equal += row_equal
            area += weights[row] * row_count
            total += weights[row] * row_total
            squares += weights[row] * row_squares
        column = largest.argmax()
        change = largest[column]
        found[channel, 0] = count < state.shape[1] * columns
        found[channel, 1], found[channel, 2] = low.min(), high.max()
        found[channel, 3] = total / area if count > 0 else np.nan
        found[channel, 4], found[channel, 5] = np.sqrt(squares / columns), change
        found[channel, 6] = _row(state[channel, :, column], before[channel, :, column], change) * columns + column
        found[channel, 7] = equal == count and (count == state[channel].size or _missing_alike(state, before, channel))


@compiled_sums
def _sum_row(values: Any) -> Any:
    """Count and sum of the values that are not NaN."""
    count, total = 0, 0.0
    for column in range(len(values)):
        value = np.float64(values[column])
        valid = value == value  # noqa: PLR0124, what NaN is not
        count += valid
        total += value if valid else 0.0
    return count, total


@compiled_sums
def _compare_row(values: Any, old: Any) -> Any:
    """Sum of squares of the changes, NaN apart, and at how many points nothing changed."""
    squares, equal = 0.0, 0
    for column in range(len(values)):
        change = np.float64(values[column]) - np.float64(old[column])
        squares += change * change if change == change else 0.0  # noqa: PLR0124
        equal += change == 0.0
    return squares, equal


@compiled
def _missing_alike(state: Any, before: Any, channel: int) -> bool:
    return bool(np.all(np.isnan(state[channel]) == np.isnan(before[channel])))


@compiled
def _range_of_row(values: Any, old: Any, low: Any, high: Any, largest: Any) -> None:
    """Kept per column: the minimum of a row is not vectorised where there may be NaN."""
    for column in range(len(values)):
        value = values[column]
        size = abs(value - old[column])
        low[column] = value if value < low[column] else low[column]  # noqa: FURB136
        high[column] = value if value > high[column] else high[column]  # noqa: FURB136
        largest[column] = size if size > largest[column] else largest[column]  # noqa: FURB136


@compiled
def _row(values: Any, old: Any, largest: float) -> int:
    """Where the largest change along a column is first: of one column, since a search of the whole field takes longer
    than all else."""
    for row in range(len(values)):
        if abs(values[row] - old[row]) == largest:
            return row
    return 0
