"""Sums over a window of days whose weights are a triangle, kept up to date as the window moves by a day.

A triangle of half-width R + 1 is a box of R + 1 days smoothed by another. With S_j the sum of day j, ahead(d) the sum
of days d + 1 to d + R + 1 and behind(d) that of days d - R to d, the weighted sum T(d) of the weights R + 1 - |j - d|
moves by T(d + 1) = T(d) + ahead(d) - behind(d). So a step costs the same whatever the width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.compiled import compiled
from data_pipeline.working_memory import working_array

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    Fields = NDArray[np.float32]

DAY_BYTES = 20
"""Of one day's sums at a point: two float64 and a count."""
WINDOW_BYTES = 4 * DAY_BYTES
"""Of what is kept beside the days at a point: three running sums, a shift, and the mean and deviation given out."""


@dataclass
class Window:
    """Sums at every point of the days around a day: of values about ``shift``, of their squares, of their number.

    ``days`` holds those of single days in slots, ``running`` ahead, behind and the weighted sum.
    """

    reach: int
    shape: tuple[int, ...]
    days: NDArray[Any]
    running: NDArray[Any]
    shift: Fields
    newest: int

    @classmethod
    def before(cls, first: int, reach: int, shape: tuple[int, ...], memory_bytes: int, folder: Path | None) -> Window:
        """An empty window whose next day is ``first``; days that do not fit ``memory_bytes`` are in a file."""
        points = int(np.prod(shape))
        sums = np.dtype([("total", np.float64), ("squares", np.float64), ("count", np.int32)])
        days = working_array((2 * reach + 2, points), sums, memory_bytes, folder)
        return cls(reach, shape, days, np.zeros((3, points), sums), np.full(points, np.nan, np.float32), first - 1)

    def move(self, states: Iterable[Fields]) -> None:
        """Take in the next day, all of whose ``states`` are given; the window is then around ``newest - reach``."""
        self.newest += 1
        slots = len(self.days)
        day = self.days[self.newest % slots]
        day[:] = 0
        for state in states:
            _add(np.ascontiguousarray(state, dtype=np.float32).reshape(-1), self.shift, day)
        middle, oldest = self.newest - self.reach, self.newest - 2 * self.reach - 1
        _move(day, self.days[middle % slots], self.days[oldest % slots], *self.running)

    def smoothed(self) -> tuple[Fields, Fields]:
        """Mean and standard deviation of all states in the window by its weights; NaN where there is no value."""
        mean, std = np.empty(self.shape, np.float32), np.empty(self.shape, np.float32)
        _finish(self.running[2], self.shift, mean.reshape(-1), std.reshape(-1))
        return mean, std


@compiled
def _add(values: Any, shift: Any, day: Any) -> None:
    """Add a state to a day's sums, about the first value that a point ever had."""
    for point in range(len(values)):
        value = values[point]
        if not np.isnan(value):
            if np.isnan(shift[point]):
                shift[point] = value
            deviation = np.float64(value) - np.float64(shift[point])
            day[point].total += deviation
            day[point].squares += deviation * deviation
            day[point].count += 1


@compiled
def _move(new: Any, middle: Any, oldest: Any, ahead: Any, behind: Any, weighted: Any) -> None:
    for point in range(len(new)):
        total, squares, count = new[point].total, new[point].squares, new[point].count
        weighted[point].total += ahead[point].total + total - behind[point].total
        weighted[point].squares += ahead[point].squares + squares - behind[point].squares
        weighted[point].count += ahead[point].count + count - behind[point].count
        ahead[point].total += total - middle[point].total
        ahead[point].squares += squares - middle[point].squares
        ahead[point].count += count - middle[point].count
        behind[point].total += middle[point].total - oldest[point].total
        behind[point].squares += middle[point].squares - oldest[point].squares
        behind[point].count += middle[point].count - oldest[point].count


@compiled
def _finish(weighted: Any, shift: Any, mean: Any, std: Any) -> None:
    """Weighted mean m = sum(w x) / sum(w) and variance sum(w x^2) / sum(w) - m^2, both about the shift."""
    for point in range(len(mean)):
        weight = weighted[point].count
        offset = weighted[point].total / weight if weight > 0 else np.nan
        mean[point] = shift[point] + offset
        variance = weighted[point].squares / weight - offset * offset if weight > 0 else np.nan
        std[point] = np.sqrt(max(variance, 0.0)) if weight > 0 else np.nan
